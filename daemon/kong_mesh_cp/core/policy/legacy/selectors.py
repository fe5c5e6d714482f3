"""Policies of the older generation: whom they select, and which one counts where several do.

The most specific selector wins: more tags before fewer, then exact values before `*`; among
equals the policy that was made last.

Source: docs/wire/policies.md#older-policies
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.subsets import SERVICE_TAG, Tags, selects
from kong_mesh_cp.core.resources.kinds.legacy.circuit_breaker import CircuitBreaker
from kong_mesh_cp.core.resources.kinds.legacy.fault_injection import FaultInjection
from kong_mesh_cp.core.resources.kinds.legacy.health_check import HealthCheck
from kong_mesh_cp.core.resources.kinds.legacy.proxy_template import ProxyTemplate
from kong_mesh_cp.core.resources.kinds.legacy.rate_limit import RateLimit
from kong_mesh_cp.core.resources.kinds.legacy.retry import Retry
from kong_mesh_cp.core.resources.kinds.legacy.timeout import Timeout
from kong_mesh_cp.core.resources.kinds.legacy.traffic_log import TrafficLog
from kong_mesh_cp.core.resources.kinds.legacy.traffic_permission import TrafficPermission
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.legacy.traffic_trace import TrafficTrace
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.tags import Selector

_CONNECTIONS: Final = (
    CircuitBreaker
    | FaultInjection
    | HealthCheck
    | RateLimit
    | Retry
    | Timeout
    | TrafficLog
    | TrafficPermission
    | TrafficRoute
)
_PROXIES: Final = ProxyTemplate | TrafficTrace


class Rank(NamedTuple):
    """How specific a selector is; higher ones win."""

    tags: int
    exact: int  # of them those that are not `*`

    def with_other(self, other: Rank) -> Rank:
        """Of two selectors that both have to fit."""
        return Rank(self.tags + other.tags, self.exact + other.exact)


UNSPECIFIC: Final = Rank(0, 0)


def rank(selector: Tags) -> Rank:
    # Exact values count after the number of tags: three wildcards beat two exact values.
    return Rank(len(selector), sum(value != "*" for value in selector.values()))


@dataclass(frozen=True, slots=True)
class LegacyPolicy:
    """A policy for connections has sources and destinations, one for proxies has selectors."""

    type: str
    name: str
    created_at: datetime
    sources: tuple[Tags, ...] = ()
    destinations: tuple[Tags, ...] = ()
    selectors: tuple[Tags, ...] = ()


def legacy_policy(resource: Resource[object]) -> LegacyPolicy | None:
    """None for a resource that is no policy of the older generation."""
    spec = resource.spec
    sources: Sequence[Selector] = ()
    destinations: Sequence[Selector] = ()
    selectors: Sequence[Selector] = ()
    if isinstance(spec, _CONNECTIONS):
        sources, destinations = spec.sources, spec.destinations
    elif isinstance(spec, _PROXIES):
        selectors = spec.selectors
    else:
        return None
    return LegacyPolicy(
        resource.type,
        resource.name,
        resource.created_at,
        _matches(sources),
        _matches(destinations),
        _matches(selectors),
    )


def legacy_policies(resources: Mapping[str, Resource[object]]) -> tuple[LegacyPolicy, ...]:
    """Those among `resources`, which are by name."""
    found = map(legacy_policy, resources.values())
    return tuple(each for each in found if each is not None)


def _matches(selectors: Iterable[Selector]) -> tuple[Tags, ...]:
    return tuple(each.match for each in selectors)


def selector_rank(selectors: Iterable[Tags], tag_sets: Iterable[Tags]) -> Rank | None:
    """The rank of the best of `selectors` that one of `tag_sets` has; None: none of them."""
    sets = tuple(tag_sets)
    found = [
        rank(selector) for selector in selectors if any(selects(selector, tags) for tags in sets)
    ]
    return max(found, default=None)


def policy_for_proxy(
    policies: Iterable[LegacyPolicy], tag_sets: Sequence[Tags]
) -> LegacyPolicy | None:
    """The one policy of a type for a whole proxy. One without selectors is for all of them."""
    return _best(policies, fit_for_proxy(tag_sets))


def policy_for_inbound(policies: Iterable[LegacyPolicy], tags: Tags) -> LegacyPolicy | None:
    """The one policy of a type for an inbound with `tags`; who may be the source is in it."""
    return _best(policies, fit_for_inbound(tags))


def policies_for_inbound(policies: Iterable[LegacyPolicy], tags: Tags) -> tuple[LegacyPolicy, ...]:
    """All policies of a type for an inbound with `tags`, those with the closest source first.

    One is there as often as it has destinations that fit, as in the original: its effects add up.
    """
    found = [
        each
        for each in _by_name(policies)
        for destination in each.destinations
        if selects(destination, tags)
    ]
    return tuple(sorted(found, key=_closest_source, reverse=True))


def policy_for_service(
    policies: Iterable[LegacyPolicy], tag_sets: Sequence[Tags], service: str
) -> LegacyPolicy | None:
    """The one policy of a type for what a proxy with `tag_sets` sends to `service`."""
    return policy_for_destination(policies, tag_sets, {SERVICE_TAG: service})


def policy_for_destination(
    policies: Iterable[LegacyPolicy], tag_sets: Sequence[Tags], destination: Tags
) -> LegacyPolicy | None:
    """As for a service, for a destination with more tags."""
    return _best(policies, fit_for_destination(tag_sets, destination))


Fit = Callable[[LegacyPolicy], Rank | None]
"""How well a policy fits; None: not at all."""


def fit_for_proxy(tag_sets: Sequence[Tags]) -> Fit:
    """See `policy_for_proxy`, as the others those of their names."""

    def fit(policy: LegacyPolicy) -> Rank | None:
        if not policy.selectors:
            return UNSPECIFIC
        # An empty selector asks for nothing, so a proxy without any tags has it too.
        return selector_rank(policy.selectors, (*tag_sets, {}))

    return fit


def fit_for_inbound(tags: Tags) -> Fit:
    def fit(policy: LegacyPolicy) -> Rank | None:
        found = selector_rank(policy.destinations, (tags,))
        # A destination without tags permits nothing, where an inbound is asked for.
        return found if found and found > UNSPECIFIC else None

    return fit


def fit_for_destination(tag_sets: Sequence[Tags], destination: Tags) -> Fit:
    def fit(policy: LegacyPolicy) -> Rank | None:
        source = selector_rank(policy.sources, tag_sets)
        target = selector_rank(policy.destinations, (destination,))
        return None if source is None or target is None else source.with_other(target)

    return fit


def _closest_source(policy: LegacyPolicy) -> tuple[Rank, datetime]:
    """By the first of its sources, as the original has it, whatever the others are."""
    return rank(policy.sources[0]) if policy.sources else UNSPECIFIC, policy.created_at


def _best(policies: Iterable[LegacyPolicy], fit: Fit) -> LegacyPolicy | None:
    """The first of `contest`."""
    best: tuple[tuple[Rank, datetime], LegacyPolicy] | None = None
    for policy in _by_name(policies):
        found = fit(policy)
        if found is not None and (best is None or (found, policy.created_at) > best[0]):
            best = (found, policy.created_at), policy
    return best[1] if best else None


def contest(policies: Iterable[LegacyPolicy], fit: Fit) -> list[tuple[Rank, LegacyPolicy]]:
    """All that fit; the one that counts comes first, then who would without it."""
    found = [(how, each) for each in _by_name(policies) if (how := fit(each)) is not None]
    return sorted(found, key=lambda one: (one[0], one[1].created_at), reverse=True)


def _by_name(policies: Iterable[LegacyPolicy]) -> list[LegacyPolicy]:
    return sorted(policies, key=lambda policy: policy.name)


def of_type(policies: Iterable[LegacyPolicy], type_name: str) -> list[LegacyPolicy]:
    return [policy for policy in policies if policy.type == type_name]


def routed_services(route: TrafficRoute, service: str) -> tuple[str, ...]:
    """Where a route for `service` sends; a destination `*` is the service itself."""
    conf = route.conf
    if conf is None:
        return ()
    parts: list[Mapping[str, str] | None] = [conf.destination]
    parts += [split.destination for split in conf.split]
    for http in conf.http:
        parts.append(http.destination)
        parts += [split.destination for split in http.split]
    found = [part[SERVICE_TAG] for part in parts if part and SERVICE_TAG in part]
    return tuple(dict.fromkeys(service if each == "*" else each for each in found))
