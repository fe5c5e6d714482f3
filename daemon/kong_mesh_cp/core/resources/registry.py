"""Every resource type of the API: one table, from which paths, lists and labels follow.

The entries are the wire's rules; their order is that of `/_resources`: by name.

Source: docs/wire/resource-api.md#types, docs/wire/resource-api.md#lists-of-types,
docs/wire/policies.md#types
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag, auto
from types import MappingProxyType
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.meta import Scope


# The flags decide more than the travelling: whether a global control plane or a federated zone may
# write a type, and which labels a write adds.
class Kds(Flag):
    """How resources of a type travel between the control planes of zones and a global one."""

    NONE = 0
    GLOBAL_TO_ZONES = auto()
    ZONE_TO_GLOBAL = auto()
    SYNCED_ACROSS_ZONES = auto()
    PROVIDED_BY_GLOBAL = auto()
    PROVIDED_BY_ZONE = auto()


# What the GUI and kumactl build their forms and commands from; a wrong flag shows up there first.
class Policy(Flag):
    """What a policy has, as `/_resources` tells it."""

    LEGACY = 0  # sources and destinations, no targetRef
    TARGET_REF = auto()
    TO = auto()
    FROM = auto()
    FROM_AS_RULES = auto()  # `rules` does for it what `from` did


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """One type of resource."""

    name: str
    scope: Scope
    path: str  # the segment of its URLs; "" for a type that the API does not show
    singular: str  # display names
    plural: str
    kumactl: tuple[str, ...] = ()  # singular, plural, then the short form where there is one
    kds: Kds = Kds.NONE
    policy: Policy | None = None
    plugin: bool = False  # nested spec, strict types and a schema; else protobuf, spec inline
    has_status: bool = False
    read_only: bool = False
    admin_only: bool = False
    virtual: bool = False  # made while it is read; nothing of it is in the store
    kong_only: bool = False  # not in Kuma; its lists of types do not show it

    @property
    def is_mesh_scoped(self) -> bool:
        return self.scope is Scope.MESH

    @property
    def provided_by_zone(self) -> bool:
        """Whether a zone's control plane is where such resources come from."""
        # Either flag: zones make policies that travel up, and secrets that do not.
        return bool(self.kds & _FROM_ZONE)

    @property
    def only_from_zone(self) -> bool:
        """Whether a global control plane refuses to write them."""
        # Policies go both ways, so a global control plane writes them too; a Dataplane only goes
        # up.
        return Kds.ZONE_TO_GLOBAL in self.kds and Kds.GLOBAL_TO_ZONES not in self.kds

    @property
    def included_in_federation(self) -> bool:
        # What a zone that joins a federation may take along: `kumactl export --profile federation`
        # asks this.
        return Kds.GLOBAL_TO_ZONES in self.kds and not self.read_only

    @property
    def is_policy(self) -> bool:
        return self.policy is not None

    @property
    def is_target_ref_policy(self) -> bool:
        return self.policy is not None and Policy.TARGET_REF in self.policy


_FROM_ZONE: Final = Kds.ZONE_TO_GLOBAL | Kds.PROVIDED_BY_ZONE
_DOWN: Final = Kds.GLOBAL_TO_ZONES
_UP: Final = Kds.ZONE_TO_GLOBAL
_ACROSS: Final = Kds.SYNCED_ACROSS_ZONES
_OF_GLOBAL: Final = Kds.PROVIDED_BY_GLOBAL
_OF_ZONE: Final = Kds.PROVIDED_BY_ZONE
_BOTH_WAYS: Final = Kds.GLOBAL_TO_ZONES | Kds.ZONE_TO_GLOBAL

_T: Final = Policy.TARGET_REF
_TO: Final = Policy.TARGET_REF | Policy.TO
_FROM: Final = Policy.TARGET_REF | Policy.FROM
_TO_FROM: Final = _TO | _FROM
_RULES: Final = Policy.FROM_AS_RULES


def _type(
    name: str,
    path: str,
    display: str,
    scope: Scope,
    kds: Kds,
    *,
    kumactl: str = "",
    plural: str = "",
    read_only: bool = False,
    admin_only: bool = False,
    virtual: bool = False,
    policy: Policy | None = None,
) -> ResourceType:
    return ResourceType(
        name=name,
        scope=scope,
        path=path,
        singular=display,
        plural=plural or f"{display}s",
        kumactl=tuple(kumactl.split()),
        kds=kds,
        read_only=read_only,
        admin_only=admin_only,
        virtual=virtual,
        policy=policy,
    )


def _legacy(name: str, path: str, display: str, kumactl: str, *, plural: str = "") -> ResourceType:
    return _type(
        name,
        path,
        display,
        Scope.MESH,
        _DOWN,
        kumactl=kumactl,
        plural=plural,
        policy=Policy.LEGACY,
    )


def _plugin(
    name: str,
    display: str,
    short: str,
    kds: Kds,
    *,
    scope: Scope = Scope.MESH,
    plural: str = "",
    policy: Policy | None = None,
    has_status: bool = False,
    kong_only: bool = False,
) -> ResourceType:
    plural = plural or f"{display}s"
    # Newer types have their path from their name; the older ones (`circuit-breakers`,
    # `zoneegresses`) follow no rule, and are spelt out.
    path = plural.replace(" ", "").lower()
    return ResourceType(
        name=name,
        scope=scope,
        path=path,
        singular=display,
        plural=plural,
        kumactl=(name.lower(), path, short) if short else (name.lower(), path),
        kds=kds,
        policy=policy,
        plugin=True,
        has_status=has_status,
        kong_only=kong_only,
    )


def _policy(
    name: str, display: str, short: str, policy: Policy, *, plural: str = ""
) -> ResourceType:
    kds = _BOTH_WAYS | _ACROSS
    return _plugin(name, display, short, kds, plural=plural, policy=policy)


def _kong(name: str, path: str, display: str) -> ResourceType:
    return ResourceType(
        name=name,
        scope=Scope.GLOBAL,
        path=path,
        singular=display,
        plural=f"{display}s",
        # Kong Mesh's own types are no types of Kuma's lists, and its kumactl has no short forms of
        # them.
        kumactl=(path.removesuffix("s"), path),
        kong_only=True,
    )


_G: Final = Scope.GLOBAL
_M: Final = Scope.MESH

_RESOURCE_TYPES: Final = (
    # The one path of these three without a dash, as Kong Mesh has it.
    _kong("AccessAudit", "accessaudits", "Access Audit"),
    _kong("AccessRole", "access-roles", "Access Role"),
    _kong("AccessRoleBinding", "access-role-bindings", "Access Role Binding"),
    _legacy(
        "CircuitBreaker",
        "circuit-breakers",
        "Circuit Breaker",
        "circuit-breaker circuit-breakers",
    ),
    # Without a path: the control plane's own records, which no client sees.
    _type("Config", "", "Config", _G, _DOWN),
    _type("Dataplane", "dataplanes", "Dataplane", _M, _UP, kumactl="dataplane dataplanes dp"),
    _type("DataplaneInsight", "dataplane-insights", "Dataplane Insight", _M, _UP, read_only=True),
    _type(
        "ExternalService",
        "external-services",
        "External Service",
        _M,
        _DOWN,
        kumactl="external-service external-services",
    ),
    _legacy(
        "FaultInjection",
        "fault-injections",
        "Fault Injection",
        "fault-injection fault-injections",
    ),
    _type(
        "GlobalSecret",
        "global-secrets",
        "Global Secret",
        _G,
        _DOWN | _OF_ZONE,
        kumactl="global-secret global-secrets",
        # Reading alone gives rights away here, so that even a GET takes an administrator.
        admin_only=True,
    ),
    _legacy("HealthCheck", "health-checks", "Health Check", "healthcheck healthchecks"),
    _plugin("HostnameGenerator", "Hostname Generator", "hg", _BOTH_WAYS, scope=_G),
    _type("Mesh", "meshes", "Mesh", _G, _DOWN, kumactl="mesh meshes m", plural="Meshes"),
    _policy("MeshAccessLog", "Mesh Access Log", "mal", _TO_FROM | _RULES),
    _policy("MeshCircuitBreaker", "Mesh Circuit Breaker", "mcb", _TO_FROM | _RULES),
    _plugin("MeshExternalService", "Mesh External Service", "extsvc", _BOTH_WAYS, has_status=True),
    _policy("MeshFaultInjection", "Mesh Fault Injection", "mfi", _TO_FROM),
    _type(
        "MeshGateway",
        "meshgateways",
        "Mesh Gateway",
        _M,
        _BOTH_WAYS,
        kumactl="meshgateway meshgateways mgw",
    ),
    _legacy(
        "MeshGatewayRoute",
        "meshgatewayroutes",
        "Mesh Gateway Route",
        "meshgatewayroute meshgatewayroutes",
    ),
    _plugin(
        "MeshGlobalRateLimit",
        "Mesh Global Rate Limit",
        "",
        Kds.NONE,
        policy=_TO_FROM,
        kong_only=True,
    ),
    _policy("MeshHTTPRoute", "Mesh HTTP Route", "mhttpr", _TO),
    _policy("MeshHealthCheck", "Mesh Health Check", "mhc", _TO),
    # Of global scope although it is about a mesh: it has the mesh's name, and goes with it.
    _type("MeshInsight", "mesh-insights", "Mesh Insight", _G, _OF_GLOBAL, read_only=True),
    _policy(
        "MeshLoadBalancingStrategy",
        "Mesh Load Balancing Strategy",
        "mlbs",
        _TO,
        plural="Mesh Load Balancing Strategies",
    ),
    _policy("MeshMetric", "Mesh Metric", "mm", _T),
    _plugin("MeshMultiZoneService", "Mesh Multi Zone Service", "mzsvc", _DOWN, has_status=True),
    _plugin("MeshOPA", "Mesh OPA", "", Kds.NONE, policy=_T, kong_only=True),
    _policy("MeshPassthrough", "Mesh Passthrough", "mp", _T),
    _policy("MeshProxyPatch", "Mesh Proxy Patch", "mpp", _T, plural="Mesh Proxy Patches"),
    _policy("MeshRateLimit", "Mesh Rate Limit", "mrl", _TO_FROM | _RULES),
    _policy("MeshRetry", "Mesh Retry", "mr", _TO, plural="Mesh Retries"),
    _plugin("MeshService", "Mesh Service", "msvc", _UP | _ACROSS, has_status=True),
    _policy("MeshTCPRoute", "Mesh TCP Route", "mtcpr", _TO),
    _policy("MeshTLS", "Mesh TLS", "mtls", _FROM | _RULES, plural="Mesh TLSes"),
    _policy("MeshTimeout", "Mesh Timeout", "mt", _TO_FROM | _RULES),
    _policy("MeshTrace", "Mesh Trace", "mtr", _T),
    _policy("MeshTrafficPermission", "Mesh Traffic Permission", "mtp", _FROM),
    _legacy("ProxyTemplate", "proxytemplates", "Proxy Template", "proxytemplate proxytemplates"),
    _legacy("RateLimit", "rate-limits", "Rate Limit", "rate-limit rate-limits"),
    _legacy("Retry", "retries", "Retry", "retry retries", plural="Retries"),
    _type(
        "Secret",
        "secrets",
        "Secret",
        _M,
        _DOWN | _OF_ZONE,
        kumactl="secret secrets",
        admin_only=True,
    ),
    _type(
        "ServiceInsight",
        "service-insights",
        "Service Insight",
        _M,
        _DOWN,
        read_only=True,
        # Stored as one resource for all services of a mesh; the API makes one of each service.
        virtual=True,
    ),
    _legacy("Timeout", "timeouts", "Timeout", "timeout timeouts"),
    _legacy("TrafficLog", "traffic-logs", "Traffic Log", "traffic-log traffic-logs"),
    _legacy(
        "TrafficPermission",
        "traffic-permissions",
        "Traffic Permission",
        "traffic-permission traffic-permissions",
    ),
    _legacy("TrafficRoute", "traffic-routes", "Traffic Route", "traffic-route traffic-routes"),
    _legacy("TrafficTrace", "traffic-traces", "Traffic Trace", "traffic-trace traffic-traces"),
    _legacy(
        "VirtualOutbound",
        "virtual-outbounds",
        "Virtual Outbound",
        "virtual-outbound virtual-outbounds",
    ),
    _type("Zone", "zones", "Zone", _G, _OF_GLOBAL | _OF_ZONE, kumactl="zone zones"),
    _type(
        "ZoneEgress",
        "zoneegresses",
        "Zone Egress",
        _G,
        _UP,
        kumactl="zoneegress zoneegresses ze",
        plural="Zone Egresses",
    ),
    _type(
        "ZoneEgressInsight", "zoneegressinsights", "Zone Egress Insight", _G, _UP, read_only=True
    ),
    _type(
        "ZoneIngress",
        "zone-ingresses",
        "Zone Ingress",
        _G,
        _UP | _ACROSS,
        kumactl="zone-ingress zone-ingresses zi",
        plural="Zone Ingresses",
    ),
    _type(
        "ZoneIngressInsight",
        "zone-ingress-insights",
        "Zone Ingress Insight",
        _G,
        _UP,
        read_only=True,
    ),
    _type(
        "ZoneInsight",
        "zone-insights",
        "Zone Insight",
        _G,
        _OF_GLOBAL | _OF_ZONE,
        read_only=True,
    ),
)

# Read only: a type that is not in the table does not exist for any path, list or check.
TYPES: Final[Mapping[str, ResourceType]] = MappingProxyType(
    {resource_type.name: resource_type for resource_type in _RESOURCE_TYPES}
)
