"""Counts the proxies and services of one mesh into its insights.

Source: docs/wire/insights.md#meshinsight, docs/wire/insights.md#serviceinsight
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.insights.facts import (
    DataplaneFacts,
    ExternalFacts,
    InsightFacts,
    ProxyRole,
    ProxyStatus,
    proxy_status,
)
from kong_mesh_cp.core.resources.kinds.insights import (
    Count,
    MeshInsight,
    MeshMtls,
    ProxiesByType,
    ProxyCount,
    ProxyVersions,
    Service,
    ServiceCount,
    ServiceInsight,
    ServiceProxies,
    ServiceStatus,
    ServiceType,
)
from kong_mesh_cp.core.resources.registry import TYPES

# What is counted in `resources`: all that users make in a mesh, and nothing that is observed.
COUNTED_TYPES: Final = tuple(
    resource_type.name
    for resource_type in TYPES.values()
    if resource_type.is_mesh_scoped and not resource_type.read_only
)


@dataclass(slots=True)
class _Proxies:
    online: int = 0
    offline: int = 0
    partially_degraded: int = 0

    def add(self, status: ProxyStatus, proxies: int) -> None:
        match status:
            case ProxyStatus.ONLINE:
                self.online += proxies
            case ProxyStatus.OFFLINE:
                self.offline += proxies
            case ProxyStatus.PARTIALLY_DEGRADED:
                self.partially_degraded += proxies

    def count(self) -> ProxyCount:
        return ProxyCount(
            total=self.online + self.offline + self.partially_degraded,
            online=self.online,
            offline=self.offline,
            partially_degraded=self.partially_degraded,
        )


_Groups = dict[str, _Proxies]


@dataclass(slots=True)
class _Offered:
    """A service; its first proxy decides of which type it is."""

    type: ServiceType
    online: int = 0
    offline: int = 0
    backends: dict[str, int] = field(default_factory=dict)
    zones: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Counts:
    """Sums over proxies that are added group by group, in any order and any slices."""

    _all: _Proxies = field(default_factory=_Proxies)
    _roles: dict[ProxyRole, _Proxies] = field(
        default_factory=lambda: {role: _Proxies() for role in ProxyRole}
    )
    _kuma_dp: _Groups = field(default_factory=dict)
    _envoy: _Groups = field(default_factory=dict)
    _issued: _Groups = field(default_factory=dict)
    _supported: _Groups = field(default_factory=dict)
    _services: dict[str, _Offered] = field(default_factory=dict)

    def add(self, dataplane: DataplaneFacts, insight: InsightFacts, proxies: int) -> None:
        """Count `proxies` proxies of which these facts hold."""
        status = proxy_status(dataplane, insight)
        self._all.add(status, proxies)
        self._roles[dataplane.role].add(status, proxies)
        _group(self._kuma_dp, insight.kuma_dp).add(status, proxies)
        _group(self._envoy, insight.envoy).add(status, proxies)
        if insight.issued_backend is not None:
            _group(self._issued, insight.issued_backend).add(status, proxies)
        for backend in insight.supported_backends:
            _group(self._supported, backend).add(status, proxies)
        for offer in dataplane.offers:
            service = self._services.setdefault(offer.service, _Offered(offer.type))
            if status is ProxyStatus.ONLINE:
                service.online += proxies
            else:
                service.offline += proxies  # one that answers in part is none to rely on
            if insight.issued_backend is not None:
                backends = service.backends
                backends[insight.issued_backend] = backends.get(insight.issued_backend, 0) + proxies
            if offer.zone:
                service.zones.add(offer.zone)

    @property
    def services(self) -> int:
        """How many services the proxies offer."""
        return len(self._services)

    def mesh_insight(self, totals: Mapping[str, int]) -> MeshInsight:
        """`totals` are the resources of the mesh by type; those of no type in it are none."""
        roles = self._roles
        known = {name: Count(total=totals[name]) for name in sorted(totals) if totals[name]}
        internal, external = len(self._services), totals.get("ExternalService", 0)
        return MeshInsight(
            dataplanes=self._all.count(),
            policies={name: count for name, count in known.items() if TYPES[name].is_policy},
            dp_versions=ProxyVersions(kuma_dp=_counts(self._kuma_dp), envoy=_counts(self._envoy)),
            mtls=MeshMtls(
                issued_backends=_counts(self._issued), supported_backends=_counts(self._supported)
            ),
            services=ServiceCount(total=internal + external, internal=internal, external=external),
            dataplanes_by_type=ProxiesByType(
                standard=roles[ProxyRole.STANDARD].count(),
                gateway=_sum(roles[ProxyRole.GATEWAY_BUILTIN], roles[ProxyRole.GATEWAY_DELEGATED]),
                gateway_builtin=roles[ProxyRole.GATEWAY_BUILTIN].count(),
                gateway_delegated=roles[ProxyRole.GATEWAY_DELEGATED].count(),
            ),
            resources=known,
        )

    def service_insight(self, external: Iterable[ExternalFacts]) -> ServiceInsight:
        """With the services outside of the mesh; a name that both have is a service inside."""
        services = {name: _service(offered) for name, offered in self._services.items()}
        outside: dict[str, tuple[str, set[str]]] = {}
        for facts in external:
            name, zone = facts.offer.service, facts.offer.zone
            if name and name not in services:
                _, zones = outside.setdefault(name, (facts.address, set()))
                zones.update({zone} if zone else ())
        for name, (address, zones) in outside.items():
            services[name] = Service(
                status=ServiceStatus.not_available,
                dataplanes=ServiceProxies(),
                service_type=ServiceType.external,
                address_port=address,
                zones=tuple(sorted(zones)),
            )
        return ServiceInsight(services={name: services[name] for name in sorted(services)})


def _group(groups: _Groups, name: str) -> _Proxies:
    return groups.setdefault(name, _Proxies())


def _counts(groups: _Groups) -> Mapping[str, ProxyCount]:
    return {name: groups[name].count() for name in sorted(groups)}


def _sum(one: _Proxies, other: _Proxies) -> ProxyCount:
    return _Proxies(
        one.online + other.online,
        one.offline + other.offline,
        one.partially_degraded + other.partially_degraded,
    ).count()


def _service(offered: _Offered) -> Service:
    if not offered.online:
        status = ServiceStatus.offline
    elif offered.offline:
        status = ServiceStatus.partially_degraded
    else:
        status = ServiceStatus.online
    return Service(
        status=status,
        # The total is put in where it is shown.
        dataplanes=ServiceProxies(online=offered.online, offline=offered.offline),
        issued_backends={name: offered.backends[name] for name in sorted(offered.backends)},
        service_type=offered.type,
        zones=tuple(sorted(offered.zones)),
    )
