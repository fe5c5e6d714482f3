"""Which policies of the older generation count for a part of a proxy, and why the others lost.

They do not merge: one of a type counts as a whole, or all that fit do.

Source: docs/wire/older-policies.md#which-one-counts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.policy.legacy.selectors import (
    Fit,
    LegacyPolicy,
    Rank,
    contest,
    fit_for_destination,
    fit_for_inbound,
    fit_for_proxy,
    legacy_policies,
    policies_for_inbound,
    policy_for_service,
)
from kong_mesh_cp.core.policy.views.explained_members import JsonObject
from kong_mesh_cp.core.resources import registry
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.explaining.carrying import Names
from kong_mesh_cp.core.xds.generators.older.older_policies import (
    LOG,
    PERMISSION,
    ROUTE,
    TRACE,
    spec_of,
)
from kong_mesh_cp.core.xds.generators.older.older_routes import default_services
from kong_mesh_cp.core.xds.outside.external_services import EXTERNAL
from kong_mesh_cp.core.xds.policies.older_templates import POLICY_TYPE as TEMPLATE
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.instances import TagPairs

OLDER_TYPES: Final = tuple(
    each.name for each in registry.TYPES.values() if each.policy is registry.Policy.LEGACY
)
_OF_OUTBOUND: Final = (ROUTE, "Timeout", "Retry", "RateLimit", LOG)
_OF_LEADING: Final = ("CircuitBreaker", "HealthCheck")  # by the services that a route leads to
_ALL_THAT_FIT: Final = ("FaultInjection", "RateLimit")  # of an inbound
_WHOSE: Final = ("sources", "destinations", "selectors")
# Resources of Envoy in it may have secrets.
_NOT_SHOWN: Final = (TEMPLATE,)

Without = Callable[[str], Names]
"""What of Envoy's resources is other without the policies of a type."""
Shown = Callable[[Names], list[JsonObject]]


class OlderExplaining:
    """Of one proxy."""

    def __init__(self, view: ProxyView, without: Without, shown_names: Shown) -> None:
        self._view = view
        self._without = without
        self._shown_names = shown_names
        self._tag_sets: Sequence[Tags] = view.dataplane.spec.tag_sets

    @property
    def types(self) -> list[str]:
        """Those that the mesh has policies of."""
        return [each for each in OLDER_TYPES if self._view.world.of_type(each)]

    def of_inbound(self, tags: Tags, envoy: Names) -> list[JsonObject]:
        found = [*self._contested((PERMISSION,), fit_for_inbound(tags), envoy)]
        for type_name in _ALL_THAT_FIT:
            # One is there as often as one of its destinations fits.
            fitting = policies_for_inbound(self._policies(type_name), tags)
            once = {each.name: each for each in fitting}
            found += [self._entry(each, envoy) for each in once.values()]
        return found

    def of_outbound(self, tags: TagPairs, envoy: Names) -> list[JsonObject]:
        """Of one by tags: for services that are resources none counts."""
        service = dict(tags).get(SERVICE, "")
        found = [*self._contested(_OF_OUTBOUND, self._fit(service), envoy)]
        for each in default_services(self._route(service), tags):
            about: JsonObject = {} if each == service else {"service": each}
            entries = self._contested(_OF_LEADING, self._fit(each), envoy)
            found += [{**entry, **about} for entry in entries]
        for resource in self._view.world.of_type(EXTERNAL).values():
            if has_spec(resource, ExternalService) and resource.spec.tags.get(SERVICE) == service:
                # The one that counts lets this proxy out only if it is one of its sources.
                fit = fit_for_inbound(resource.spec.tags)
                entries = self._contested((PERMISSION,), fit, envoy)
                found += [{**entry, "service": resource.name} for entry in entries]
        return found

    def of_proxy(self) -> list[JsonObject]:
        fit = fit_for_proxy(self._tag_sets)
        return [*self._contested((TRACE, TEMPLATE), fit)]

    def _policies(self, type_name: str) -> tuple[LegacyPolicy, ...]:
        return legacy_policies(self._view.world.of_type(type_name))

    def _route(self, service: str) -> TrafficRoute | None:
        found = policy_for_service(self._policies(ROUTE), self._tag_sets, service)
        resources = self._view.world.of_type(ROUTE)
        return None if found is None else spec_of(TrafficRoute, resources, found)

    def _fit(self, service: str) -> Fit:
        return fit_for_destination(self._tag_sets, {SERVICE: service})

    def _contested(
        self, types: Iterable[str], fit: Fit, envoy: Names | None = None
    ) -> Iterator[JsonObject]:
        """The one policy of each type that counts, with those that lost. `envoy`: as of its place;
        None: of all the proxy.
        """
        for type_name in types:
            found = contest(self._policies(type_name), fit)
            if found:
                lost = [_lost(each, found[0]) for each in found[1:]]
                yield {**self._entry(found[0][1], envoy), **({"lost": lost} if lost else {})}

    def _entry(self, policy: LegacyPolicy, envoy: Names | None) -> JsonObject:
        spec = self._view.world.of_type(policy.type)[policy.name].spec
        document: Mapping[str, object] = KINDS[policy.type].render(spec)
        whom = {each: document[each] for each in _WHOSE if document.get(each)}
        conf = {} if policy.type in _NOT_SHOWN else document.get("conf")
        members = _members("", conf) if isinstance(conf, Mapping) else ()
        carrying = self._without(policy.type)
        return {
            **whom,
            "envoy": self._shown_names(carrying if envoy is None else carrying & envoy),
            "name": policy.name,
            "settings": [{"member": member, "value": value} for member, value in members],
            "type": policy.type,
        }


def _lost(loser: tuple[Rank, LegacyPolicy], winner: tuple[Rank, LegacyPolicy]) -> JsonObject:
    (rank, policy), (best, counts) = loser, winner
    if rank.tags != best.tags:
        reason, why = "tags", f"names {rank.tags} tags, against {best.tags}"
    elif rank.exact != best.exact:
        reason, why = "exact", f"{rank.exact} tags of it are exact, against {best.exact}"
    elif policy.created_at != counts.created_at:
        reason, why = "created", f"as specific, and made before {counts.name}"
    else:
        reason, why = "name", f"as specific and as old, and its name comes after {counts.name}"
    return {"name": policy.name, "reason": reason, "why": why}


def _members(path: str, value: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """By their path, those of inner objects as well; lists are one value."""
    for key, each in value.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(each, Mapping) and each:
            yield from _members(inner, each)
        else:
            yield inner, each
