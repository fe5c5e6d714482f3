"""MeshLoadBalancingStrategy: which endpoint of a destination gets a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.hash_policies import (
    HashPolicy,
    hash_violations,
    hash_warnings,
)
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    CLUSTERS,
    PROXIES,
    SPEC,
    Entries,
    Entry,
    egress_is_shared,
    top,
    top_ref,
    top_warnings,
)
from kong_mesh_cp.core.policy.target_ref import Allowed, TargetRef, violations
from kong_mesh_cp.core.schema.record_terms import (
    ABSENT_LIST,
    IntOrText,
    OneOf,
    Range,
    Unsigned32,
)
from kong_mesh_cp.core.schema.value_checks import (
    MUST_NOT_BE_EMPTY,
    NEEDS_AN_ITEM,
    at_least,
    greater_than_zero,
    percentage,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

RING_ENTRIES_MAX: Final = 8_000_000  # Envoy's bound
TABLE_ENTRIES_MAX: Final = 5_000_011  # Envoy's bound


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRequest:
    """Settings of the balancer that prefers endpoints with few requests under way."""

    # One choice would be Random under another name, so Envoy starts at two.
    choice_count: Annotated[Unsigned32, Range(minimum=2)] | None = None
    active_request_bias: IntOrText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHash:
    """Settings of the balancer that places endpoints on a ring of hashes."""

    # The spelling is Kuma's; Envoy's enumeration has XX_HASH and MURMUR_HASH_2.
    hash_function: Annotated[str, OneOf(("XXHash", "MurmurHash2"))] | None = None
    min_ring_size: Annotated[Unsigned32, Range(1, RING_ENTRIES_MAX)] | None = None
    max_ring_size: Annotated[Unsigned32, Range(1, RING_ENTRIES_MAX)] | None = None
    hash_policies: tuple[HashPolicy, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maglev:
    """Settings of the balancer that looks hashes up in a table of fixed size."""

    table_size: Annotated[Unsigned32, Range(1, TABLE_ENTRIES_MAX)] | None = None
    hash_policies: tuple[HashPolicy, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """RoundRobin and Random have nothing to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """The algorithm that chooses an endpoint; the member that `type` names is its settings."""

    type: Annotated[str, OneOf(("RoundRobin", "LeastRequest", "RingHash", "Random", "Maglev"))]
    round_robin: Nothing | None = None
    least_request: LeastRequest | None = None
    ring_hash: RingHash | None = None
    random: Nothing | None = None
    maglev: Maglev | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityTag:
    """A tag by whose equality endpoints of the own zone are preferred."""

    key: str
    # Without weights Kuma gives the tags powers of ten in their order, so that an earlier tag
    # always beats all later ones.
    weight: Unsigned32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalZone:
    """Which endpoints of the own zone come first."""

    affinity_tags: tuple[AffinityTag, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FromZones:
    """The zones of clients that a failover rule is for."""

    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToZones:
    """The zones that traffic may fail over to."""

    type: Annotated[str, OneOf(("None", "Only", "Any", "AnyExcept"))]
    zones: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """Where traffic of some zones goes when its own zone has too few healthy endpoints."""

    from_: FromZones | None = None
    to: ToZones


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverThreshold:
    """The share of healthy endpoints below which traffic leaves its zone."""

    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossZone:
    """When traffic leaves its zone, and where it goes then."""

    failover: tuple[Failover, ...] | None = None
    failover_threshold: FailoverThreshold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalityAwareness:
    """How far away endpoints are, in tags and zones, decides who gets traffic."""

    disabled: bool | None = None
    local_zone: LocalZone | None = None
    cross_zone: CrossZone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Which endpoints are preferred, and by which algorithm one is chosen."""

    locality_awareness: LocalityAwareness | None = None
    load_balancer: LoadBalancer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshLoadBalancingStrategy:
    """The spec of a MeshLoadBalancingStrategy."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST


_BALANCED_AT_GATEWAY: Final = Allowed(
    kinds=("Mesh",),
    unsupported="value is not supported, only Mesh is allowed if loadBalancer is set",
)


def _violations(spec: MeshLoadBalancingStrategy) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"))
    # The list is optional in the schema, and a policy without it would do nothing.
    if not spec.to:
        yield SPEC.field("to").violation(NEEDS_AN_ITEM)
    at_gateway = top_ref(spec).kind == "MeshGateway"
    for index, item in enumerate(spec.to):
        at = SPEC.field("to").index(index)
        # A gateway balances in its routes' clusters, which are shared by all entries: only one
        # algorithm can be in force. Locality is set for each cluster and may differ.
        balanced = at_gateway and item.default.load_balancer is not None
        allowed = _BALANCED_AT_GATEWAY if balanced else CLUSTERS
        yield from violations(item.target_ref, allowed, at.field("targetRef"))
        yield from _conf(item, at.field("default"))
    yield from egress_is_shared(spec.to, top_ref(spec))


def _conf(item: Entry[Conf], at: FieldPath) -> Iterator[Violation]:
    balancer, awareness = item.default.load_balancer, item.default.locality_awareness
    if balancer is not None:
        yield from _balancer(balancer, at.field("loadBalancer"))
    if awareness is None:
        return
    if awareness.local_zone is not None:
        tags_at = at.field("localityAwareness").field("localZone").field("affinityTags")
        yield from _affinity(awareness.local_zone.affinity_tags or (), tags_at)
    if awareness.cross_zone is not None:
        cross_zone_at = at.field("localityAwareness").field("crossZone")
        # A MeshService has the endpoints of its own zone; across zones there is
        # MeshMultiZoneService.
        if _is_one_mesh_service(item.target_ref):
            yield cross_zone_at.violation("must not be set: MeshService traffic is local")
        yield from _cross_zone(awareness.cross_zone, cross_zone_at)


def _is_one_mesh_service(ref: TargetRef) -> bool:
    """A MeshService by name alone may mean the tag of that name, in any zone."""
    return ref.kind == "MeshService" and bool(ref.section_name or ref.labels)


def _balancer(balancer: LoadBalancer, at: FieldPath) -> Iterator[Violation]:
    match balancer:
        # Only the member that `type` names is checked: the others are not used, whatever is in
        # them.
        case LoadBalancer(type="LeastRequest", least_request=LeastRequest() as least):
            bias_at = at.field("leastRequest").field("activeRequestBias")
            yield from at_least(least.active_request_bias, 0, bias_at)
        case _:
            yield from hash_violations(*_hash_policies(balancer, at))


def _hash_policies(
    balancer: LoadBalancer, at: FieldPath
) -> tuple[tuple[HashPolicy, ...], FieldPath]:
    """Those of the member that `type` names, and their place; none where it has none."""
    match balancer:
        case LoadBalancer(type="RingHash", ring_hash=RingHash() as hashing):
            member = "ringHash"
        case LoadBalancer(type="Maglev", maglev=Maglev() as hashing):
            member = "maglev"
        case _:
            return (), at
    return hashing.hash_policies or (), at.field(member).field("hashPolicies")


def _affinity(tags: tuple[AffinityTag, ...], at: FieldPath) -> Iterator[Violation]:
    for index, tag in enumerate(tags):
        if not tag.key:
            yield at.index(index).field("key").violation(MUST_NOT_BE_EMPTY)
        yield from greater_than_zero(tag.weight, at.index(index).field("weight"))
    # Given and computed weights cannot be compared, so one tag without a weight would upset all.
    if len({tag.weight is None for tag in tags}) > 1:
        yield at.violation("all or none affinity tags should have weight")


def _cross_zone(cross_zone: CrossZone, at: FieldPath) -> Iterator[Violation]:
    for index, failover in enumerate(cross_zone.failover or ()):
        yield from _failover(failover, at.field("failover").index(index))
    threshold = cross_zone.failover_threshold
    if threshold is not None:
        percentage_at = at.field("failoverThreshold").field("percentage")
        # Zero would mean that traffic never leaves the zone, which `failover` says with type None.
        yield from percentage(threshold.percentage, percentage_at, zero_allowed=False)


def _failover(failover: Failover, at: FieldPath) -> Iterator[Violation]:
    # Without `from` a rule is for the clients of every zone.
    if failover.from_ is not None:
        zones = at.field("from").field("zones")
        if not failover.from_.zones:
            yield zones.violation(MUST_NOT_BE_EMPTY)
        for index, zone in enumerate(failover.from_.zones):
            if not zone:
                yield zones.index(index).violation(MUST_NOT_BE_EMPTY)
    to = failover.to
    # Types that name no zones and types that need some: a list that has no effect is taken for a
    # mistake, since its author meant something by it.
    if to.type in {"Any", "None"} and to.zones:
        yield at.field("to").field("zones").violation(f"must be empty when type is {to.type}")
    if to.type in {"AnyExcept", "Only"} and not to.zones:
        yield at.field("to").field("zones").violation(f"must not be empty when type is {to.type}")
    if to.type not in {"None", "Only", "Any", "AnyExcept"}:
        yield at.field("to").field("type").violation("unrecognized type")


def _warnings(spec: MeshLoadBalancingStrategy) -> Iterator[str]:
    for index, item in enumerate(spec.to):
        if item.default.load_balancer is not None:
            at = SPEC.field("to").index(index).field("default").field("loadBalancer")
            yield from hash_warnings(*_hash_policies(item.default.load_balancer, at))
    yield from top_warnings(spec)


KIND: Final = policy_kind(
    "MeshLoadBalancingStrategy", MeshLoadBalancingStrategy, Conf, _violations, _warnings
)
