"""What MeshLoadBalancingStrategy does to a proxy.

Source: docs/wire/envoy-policies.md#load-balancing
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_load_balancing_strategy import (
    TABLE_ENTRIES_MAX,
    AffinityTag,
    Conf,
    CrossZone,
    LeastRequest,
    LoadBalancer,
    LocalityAwareness,
    RingHash,
)
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.spec_parts.hash_policies import HashPolicy
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, TypedConf
from kong_mesh_cp.core.resources.tags import values_by_tag
from kong_mesh_cp.core.schema.value_checks import decimal
from kong_mesh_cp.core.xds.effects import Effect, OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, duration
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.gateway_plan import GatewayDestination
from kong_mesh_cp.core.xds.gateways.listener_confs import (
    led_to,
    planned_routes,
    told_listeners,
)
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL
from kong_mesh_cp.core.xds.world import TagPairs
from kong_mesh_cp.core.xds.zones.localities import (
    FIRST,
    LAST,
    REMOTE,
    Affinity,
    Failover,
    Locality,
    RuledLocality,
)

BALANCING: Final = "MeshLoadBalancingStrategy"

OVERPROVISIONING: Final = 200  # per cent: half of the instances carry all traffic of a zone
RING_ENTRIES: Final = 1024  # Envoy's least, where none is said
BIAS_KEY: Final = "load_balancing.least_request.active_request_bias"  # Envoy asks for some name
UNSIGNED_32_MAX: Final = 2**32 - 1
WEIGHTED_TAGS_MAX: Final = 9  # by powers of ten; their sum is one of 32 bits
EGRESS_CHARACTERS: Final = 8  # of a hash, in the name of what is behind the egress

_POLICIES: Final = {
    "RoundRobin": "ROUND_ROBIN",
    "LeastRequest": "LEAST_REQUEST",
    "RingHash": "RING_HASH",
    "Random": "RANDOM",
    "Maglev": "MAGLEV",
}
_HASH_FUNCTIONS: Final = {"XXHash": "XX_HASH", "MurmurHash2": "MURMUR_HASH_2"}


def _outbound_listener(draft: ListenerDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    conf = _conf(confs.conf)
    if conf is None or conf.load_balancer is None or _is_balanced_elsewhere(facts):
        return
    managers = (each.http for each in draft.chains if each.http is not None)
    for route in _routes(managers):
        _hash(route, conf.load_balancer)


def _hash(route: Message, balancer: LoadBalancer) -> None:
    # What is redirected goes to no endpoint.
    if route.HasField("route"):
        for policy in _hash_policies(balancer):
            route.route.hash_policy.add(**_hash_policy(policy))


def _routes(managers: Iterable[Message]) -> Iterator[Message]:
    for manager in managers:
        for host in manager.route_config.virtual_hosts:
            yield from host.routes


def _outbound_cluster(draft: ClusterDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    conf = _conf(confs.conf)
    # What a route alone leads to is balanced as Envoy does it.
    if conf is not None and facts.is_called and not _is_balanced_elsewhere(facts):
        _balance(draft, conf)


def _balance(draft: ClusterDraft, conf: Conf) -> None:
    awareness = conf.locality_awareness
    local = None if awareness is None else awareness.local_zone
    if local is not None and local.affinity_tags:
        draft.message.common_lb_config.locality_weighted_lb_config.SetInParent()
    if conf.load_balancer is not None:
        _balancer(draft.message, conf.load_balancer)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    for planned, _, confs in told_listeners(draft, matched.of_type(BALANCING), view):
        # As in the original, all routes of the listener hash as is said of a service by its tag.
        everywhere: dict[str, LoadBalancer] = {}
        by_cluster: dict[str, LoadBalancer] = {}
        for cluster, destination in led_to(draft, planned.hosts):
            service = destination.service
            of_service = confs.of_service(service)
            found = _balance_edge(draft, cluster, destination, of_service, view)
            if found is not None:
                everywhere[service] = found
            to = destination.to
            if isinstance(to, DestinationId) and to.type != EXTERNAL:
                found = _balance_edge(draft, cluster, destination, confs.of_resource(to), view)
                if found is not None and service not in everywhere:
                    by_cluster[cluster.name] = found
        for _, route, message in planned_routes(draft, planned):
            led = {each.cluster for each in route.destinations}
            of_route = (each for name, each in by_cluster.items() if name in led)
            for balancer in (*everywhere.values(), *of_route):
                _hash(message, balancer)


def _balance_edge(
    draft: GatewayDraft,
    cluster: ClusterDraft,
    destination: GatewayDestination,
    typed: TypedConf | None,
    view: ProxyView,
) -> LoadBalancer | None:
    """How requests are spread; None: nothing is said of it."""
    conf = _conf(typed)
    if conf is None:
        return None
    _balance(cluster, conf)
    source, is_resource = draft.sources.get(cluster.name), isinstance(destination.to, DestinationId)
    if source is not None and not _is_outside(destination):
        locality = locality_of(DestinationConfs(typed), view, is_resource=is_resource)
        draft.sources[cluster.name] = replace(source, locality=locality)
    return conf.load_balancer


def _is_outside(destination: GatewayDestination) -> bool:
    return isinstance(destination.to, DestinationId) and destination.to.type == EXTERNAL


def _is_balanced_elsewhere(facts: OutboundFacts) -> bool:
    """The egress, which all callers share, balances among the endpoints of an external service."""
    return facts.is_resource and facts.is_external


def _balancer(cluster: Message, conf: LoadBalancer) -> None:
    cluster.lb_policy = type(cluster).LbPolicy.Value(_POLICIES[conf.type])
    match conf:
        case LoadBalancer(type="LeastRequest", least_request=LeastRequest() as least):
            _least_request(cluster, least)
        case LoadBalancer(type="RingHash", ring_hash=RingHash() as ring):
            _ring(cluster.ring_hash_lb_config, ring)
        case LoadBalancer(type="Maglev") if conf.maglev and conf.maglev.table_size is not None:
            size = cluster.maglev_lb_config.table_size
            size.value = _prime_from(conf.maglev.table_size)


def _least_request(cluster: Message, conf: LeastRequest) -> None:
    if conf.choice_count is not None:
        cluster.least_request_lb_config.choice_count.value = conf.choice_count
    bias = None if conf.active_request_bias is None else decimal(conf.active_request_bias)
    if bias is not None:
        field = cluster.least_request_lb_config.active_request_bias
        field.default_value, field.runtime_key = float(bias), BIAS_KEY


def _ring(config: Message, conf: RingHash) -> None:
    config.SetInParent()
    if conf.hash_function is not None:
        functions = type(config).HashFunction
        config.hash_function = functions.Value(_HASH_FUNCTIONS[conf.hash_function])
    least, most = conf.min_ring_size, conf.max_ring_size
    # Envoy refuses a least above the most, be it its own; no ring is larger than one allows.
    if most is not None and most < (RING_ENTRIES if least is None else least):
        least = most
    if least is not None:
        config.minimum_ring_size.value = least
    if most is not None:
        config.maximum_ring_size.value = most


def _prime_from(number: int) -> int:
    """The first prime that is not less: Envoy refuses tables of other sizes."""
    found = max(number, 2)
    while found < TABLE_ENTRIES_MAX and not _is_prime(found):
        found += 1
    return found


def _is_prime(number: int) -> bool:
    return all(number % each for each in range(2, int(number**0.5) + 1))


def _hash_policies(balancer: LoadBalancer) -> tuple[HashPolicy, ...]:
    hashing = {"RingHash": balancer.ring_hash, "Maglev": balancer.maglev}.get(balancer.type)
    return () if hashing is None else hashing.hash_policies or ()


def _hash_policy(policy: HashPolicy) -> dict[str, object]:
    """The members of Envoy's HashPolicy."""
    return {**_hashed(policy), "terminal": bool(policy.terminal)}


def _hashed(policy: HashPolicy) -> dict[str, object]:
    match policy:
        case HashPolicy(type="Header", header=header) if header is not None:
            return {"header": {"header_name": header.name}}
        case HashPolicy(type="Cookie", cookie=cookie) if cookie is not None:
            found: dict[str, object] = {"name": cookie.name, "path": cookie.path or ""}
            if cookie.ttl is not None:
                found["ttl"] = duration(cookie.ttl)
            return {"cookie": found}
        case HashPolicy(type="QueryParameter", query_parameter=parameter) if parameter is not None:
            return {"query_parameter": {"name": parameter.name}}
        case HashPolicy(type="FilterState", filter_state=state) if state is not None:
            return {"filter_state": {"key": state.key}}
        case HashPolicy(connection=connection):
            # The older name says already that it is the address.
            by_address = connection is not None and bool(connection.source_ip)
            return {"connection_properties": {"source_ip": by_address or policy.type == "SourceIP"}}


def own_tags_of(view: ProxyView) -> TagPairs:
    """Of each tag one value: what instances are compared with."""
    found = values_by_tag(view.dataplane.spec.tag_sets)
    return tuple((tag, values[0]) for tag, values in found.items())


def locality_of(
    confs: DestinationConfs, view: ProxyView, *, is_resource: bool = False
) -> Locality | None:
    """How the endpoints of a destination are ranked for a proxy; None: they are all alike."""
    conf, zone, routing = _conf(confs.conf), view.world.zone, view.world.mesh.spec.routing
    if conf is None:
        is_aware = routing is not None and routing.locality_aware_load_balancing
        return Locality(zone=zone) if is_aware and not is_resource else None
    through_egress = routing is not None and routing.zone_egress and not is_resource
    return _ranking(conf, zone, own_tags_of(view), through_egress=through_egress)


def egress_ranking(typed: TypedConf | None, zone: str) -> Locality | None:
    """How the egress of `zone`, which has no tags, ranks the endpoints of a service for all of its
    clients; None: as they are.
    """
    conf = _conf(typed)
    return None if conf is None else _ranking(conf, zone, (), through_egress=False)


def _ranking(conf: Conf, zone: str, own_tags: TagPairs, *, through_egress: bool) -> Locality:
    awareness = conf.locality_awareness or LocalityAwareness()
    if awareness.local_zone is None and awareness.cross_zone is None:
        return Locality(zone=zone, remote=FIRST if awareness.disabled else REMOTE)
    cross_zone = awareness.cross_zone or CrossZone()
    failovers = tuple(_failovers(cross_zone, zone))
    local = awareness.local_zone
    return RuledLocality(
        zone=zone,
        affinities=tuple(_affinities(() if local is None else local.affinity_tags or (), own_tags)),
        failovers=failovers,
        egress=_behind_egress(failovers) if through_egress else "",
        overprovisioning=_overprovisioning(cross_zone),
    )


def _affinities(tags: tuple[AffinityTag, ...], own: TagPairs) -> Iterator[Affinity]:
    values = dict(own)
    weights = [_weight(tags, place) for place in range(len(tags))]
    total = sum(weights) + 1
    for tag, weight in zip(tags, weights, strict=True):
        # Envoy adds them up.
        share = weight if total <= UNSIGNED_32_MAX else weight * (UNSIGNED_32_MAX // 2) // total
        if tag.key in values:
            yield Affinity(key=tag.key, value=values[tag.key], share=max(share, 1))


def _weight(tags: tuple[AffinityTag, ...], place: int) -> int:
    """Nine tenths for the first, and so on with what is left."""
    weight = tags[place].weight
    if weight is not None:
        return weight
    exponent = min(len(tags), WEIGHTED_TAGS_MAX) - place - 1
    return int(9 * 10 ** max(exponent, 0))


def _failovers(cross_zone: CrossZone, zone: str) -> Iterator[Failover]:
    for place, rule in enumerate(cross_zone.failover or (), REMOTE):
        if rule.from_ is not None and zone not in rule.from_.zones:
            continue
        zones = frozenset(rule.to.zones or ())
        priority = min(place, LAST)
        match rule.to.type:
            case "Any":
                yield Failover(priority=priority)
            case "AnyExcept":
                yield Failover(priority=priority, but=zones)
            case "Only":
                yield Failover(priority=priority, zones=zones)
            case _:  # no zone
                pass


def _behind_egress(failovers: tuple[Failover, ...]) -> str:
    """Another name for other rules: Envoy has one rank for a locality."""
    text = "".join(f"{_as_text(each)};" for each in failovers)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"egress_{digest[:EGRESS_CHARACTERS]}"


def _as_text(failover: Failover) -> str:
    if failover.zones is not None:
        return f"{failover.priority}:{','.join(sorted(failover.zones))}"
    if failover.but:
        return f"{failover.priority}:AnyExcept:{','.join(sorted(failover.but))}"
    return f"{failover.priority}:Any"


def _overprovisioning(cross_zone: CrossZone) -> int:
    threshold = cross_zone.failover_threshold
    share = None if threshold is None else decimal(threshold.percentage)
    if not share:
        return OVERPROVISIONING
    # The original loses the decimals before it counts in per cent.
    return min(int(100 / float(share)) * 100, UNSIGNED_32_MAX) or OVERPROVISIONING


def _conf(conf: TypedConf | None) -> Conf | None:
    return None if conf is None else conf.of_kind(Conf)


EFFECT: Final = Effect(
    policy_type=BALANCING,
    outbound_listener=_outbound_listener,
    outbound_cluster=_outbound_cluster,
    gateway=_gateway,
)
