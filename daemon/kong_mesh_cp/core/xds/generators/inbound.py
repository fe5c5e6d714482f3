"""What a proxy takes from others and hands to its application.

Source: docs/wire/envoy-names.md#inbounds
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import HOUR, SECOND
from kong_mesh_cp.core.policy.rules.proxies import Listener
from kong_mesh_cp.core.policy.typed_confs import InboundConfs
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.resources.tags import PROTOCOL, SERVICE
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.effects import InboundFacts, named_by
from kong_mesh_cp.core.xds.envoy import rbac
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import GrpcStats, Message, duration
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER, kafka_broker
from kong_mesh_cp.core.xds.envoy.listeners import (
    GRPC_STATS,
    HTTP_MANAGER,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER
from kong_mesh_cp.core.xds.envoy.tls import MESH_PROTOCOL, downstream_tls
from kong_mesh_cp.core.xds.generators.older.older_inbound import (
    OlderInbound,
    apply_older,
    inbound_policies,
    older_inbound,
)
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER, inbound_listener, local_cluster
from kong_mesh_cp.core.xds.policies import tls_effects
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECT_TYPES, EFFECTS
from kong_mesh_cp.core.xds.policies.older_permissions import OlderPermission, older_permissions
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP_LIKE, KAFKA, protocol_of
from kong_mesh_cp.core.xds.proxy_view import (
    InboundPlace,
    ProxyView,
    place_of,
    source_past_redirection,
)
from kong_mesh_cp.core.xds.world import Endpoint, pairs

# Longer than what callers wait, so that it is they who decide.
CONNECT: Final = 10 * SECOND
IDLE: Final = 2 * HOUR
STREAM_IDLE: Final = HOUR

Confs = tuple[InboundConfs, ...]
"""One for each of EFFECTS."""

_ABOUT_TLS: Final = EFFECT_TYPES.index(tls_effects.POLICY_TYPE)


@dataclass(frozen=True, slots=True)
class _Plan:
    """One inbound, with all that its parts depend on."""

    facts: InboundFacts
    place: InboundPlace
    confs: Confs
    terms: HttpTerms
    redirected: bool
    apart: bool  # the application is called from an address of its own
    mode: MtlsMode | None  # None: the mesh has no mTLS
    permission: OlderPermission | None
    older: OlderInbound
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Parts are found by it again and again, and it is all that they depend on.
        object.__setattr__(self, "_hash", hash((self.facts, self.confs, self.mode, self.older)))

    def __hash__(self) -> int:
        return self._hash


def inbounds(view: ProxyView, matched: Matched, draft: Draft) -> None:
    by_cluster: dict[str, list[_Plan]] = {}
    permissions = older_permissions(view.networking, view.world, draft.parts)
    policies = inbound_policies(view, draft.parts)
    for index, inbound in enumerate(view.networking.inbound):
        name = inbound_listener(inbound.address or view.networking.address, inbound.port)
        try:
            older = older_inbound(policies, inbound.tags)
            permission = permissions[index] if permissions else None
            plan = _plan(view, matched, index, permission, older)
        except WRONG_INPUT as error:
            draft.complain(name, error)
            continue
        by_cluster.setdefault(local_cluster(plan.place.workload_port), []).append(plan)
        draft.add(LISTENER, name, _listener, plan)
        if plan.mode is not None:
            draft.trusted.add(view.world.name)
    for name, sharing in by_cluster.items():
        draft.add(CLUSTER, name, _cluster, *sharing)


def _plan(
    view: ProxyView,
    matched: Matched,
    index: int,
    permission: OlderPermission | None,
    older: OlderInbound,
) -> _Plan:
    """Of the inbound with this place among those of the proxy."""
    inbound = view.networking.inbound[index]
    place = place_of(inbound, view.networking)
    listener = Listener(place.address, place.port)
    confs = tuple([each.inbound(listener) for each in matched.of_types(EFFECT_TYPES)])
    about = [each for each, found in zip(EFFECTS, confs, strict=True) if found.selected]
    named = named_by(about, view, matched)

    def make() -> tuple[_Plan, object]:
        authority = view.world.authority
        facts = InboundFacts(
            mesh=view.world.name,
            address=place.address,
            port=place.port,
            service=inbound.tags.get(SERVICE, ""),
            protocol=protocol_of(inbound.tags.get(PROTOCOL)),
            tags=pairs(inbound.tags),
            mtls=authority is not None,
            older_permissions=permission is not None,
            older_faults=bool(older.faults),
            older_rate_limit=bool(older.limits),
            proxy=named,
        )
        about_tls = confs[_ABOUT_TLS]
        mode = None if authority is None else tls_effects.mode_of(about_tls, authority.mode)
        redirected, apart = view.is_redirected, view.takes_all_traffic
        terms = view.http_terms
        plan = _Plan(facts, place, confs, terms, redirected, apart, mode, permission, older)
        return plan, held

    # Held with what was made of them: the key only says which objects they were.
    held = (view.dataplane, view.world.mesh, *confs)
    key = ("inbound", index, view.http_terms, named, permission, older, *map(id, held))
    plan, _ = matched.parts.made(key, make)
    return plan


def _cluster(name: str, *sharing: _Plan) -> Message:
    """The application's port; inbounds that share it have their effects one after the other."""
    last = sharing[-1]
    protocol, address = last.facts.protocol, last.place.workload_address
    draft = ClusterDraft(name, protocol)
    draft.with_endpoints([Endpoint(address, last.place.workload_port, weight=0)], ipv6=False)
    draft.connect_within(CONNECT)
    draft.name_in_metrics()
    if protocol in HTTP_LIKE:
        draft.http.common_http_protocol_options.idle_timeout.CopyFrom(duration(IDLE))
        draft.speak(protocol)
    source = source_past_redirection(address) if last.apart else ""
    if source:
        draft.connect_from(source)
    for index, effect in enumerate(EFFECTS):
        for plan in sharing:
            if effect.inbound_cluster is not None:
                effect.inbound_cluster(draft, plan.facts, plan.confs[index])
    return draft.whole()


def _listener(name: str, plan: _Plan) -> Message:
    draft = ListenerDraft(name, plan.place.address, plan.place.port, inbound=True)
    draft.show_tags(plan.facts.tags)
    if plan.redirected:
        draft.take_redirected()
    draft.chains += _chains(name, plan)
    if plan.mode is MtlsMode.PERMISSIVE:
        draft.inspect_tls()
    for effect, about in zip(EFFECTS, plan.confs, strict=True):
        if effect.inbound_listener is not None:
            effect.inbound_listener(draft, plan.facts, about)
    return draft.whole()


def _chains(name: str, plan: _Plan) -> list[ChainDraft]:
    """One; of a mesh on its way to mTLS three: plain, the application's own TLS, the mesh's."""

    def chain() -> ChainDraft:
        cluster = local_cluster(plan.place.workload_port)
        made = _chain(plan.facts, cluster, plan.terms)
        if made.http is not None:
            apply_older(made, plan.older, plan.facts.service, cluster)
        return made

    secured = chain()
    if plan.mode is None:
        return [secured]
    secured.tls = downstream_tls(plan.facts.mesh)
    if plan.permission is not None:
        allowed = [rbac.clients(plan.facts.mesh, each) for each in plan.permission.clients]
        rules = rbac.rules(plan.permission.policy, allowed)
        secured.filters.insert(0, (rbac.NETWORK_RBAC, rbac.network_rbac(name, rules)))
    if plan.mode is MtlsMode.STRICT:
        return [secured]
    plain, own_tls = chain(), chain()
    plain.match = {"transport_protocol": "raw_buffer"}
    own_tls.match = {"transport_protocol": "tls"}
    secured.match = {"transport_protocol": "tls", "application_protocols": [MESH_PROTOCOL]}
    return [plain, own_tls, secured]


def _chain(facts: InboundFacts, cluster: str, terms: HttpTerms) -> ChainDraft:
    chain = ChainDraft()
    if facts.protocol not in HTTP_LIKE:
        if facts.protocol == KAFKA:
            chain.filters.append((KAFKA_BROKER, kafka_broker(cluster)))
        proxy = tcp_proxy(cluster, (cluster, 0))
        proxy.idle_timeout.CopyFrom(duration(IDLE))
        chain.filters.append((TCP_PROXY, proxy))
        return chain
    manager = http_manager(cluster, terms, forward_client_cert=True)
    manager.common_http_protocol_options.idle_timeout.CopyFrom(duration(IDLE))
    manager.stream_idle_timeout.CopyFrom(duration(STREAM_IDLE))
    if facts.protocol == GRPC:
        chain.http_filters.append((GRPC_STATS, GrpcStats(emit_filter_state=True)))
    routes = manager.route_config
    routes.name = f"inbound:{facts.service}"
    routes.validate_clusters.value = False
    # What a caller's proxy has said of it is for this proxy alone.
    routes.request_headers_to_remove.append(TAGS_HEADER)
    host = routes.virtual_hosts.add(name=facts.service, domains=["*"])
    host.routes.add(match={"prefix": "/"}, route={"cluster": cluster, "timeout": duration(0)})
    chain.filters.append((HTTP_MANAGER, manager))
    return chain
