"""How an egress takes connections to one service outside of a mesh, whose TLS it ends.

Source: docs/wire/zone-proxies.md#outside
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs, TypedConf
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.effects import Effect, InboundFacts, OutboundFacts
from kong_mesh_cp.core.xds.envoy import rbac
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, duration, struct_of
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import (
    HTTP_MANAGER,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.outside_tls import match_outside, outside_tls
from kong_mesh_cp.core.xds.envoy.tls import downstream_tls, tls_socket
from kong_mesh_cp.core.xds.generators.older.older_inbound import (
    NOTHING_OLDER,
    OlderInbound,
    apply_older,
)
from kong_mesh_cp.core.xds.outside.external_services import ExternalPlace, OutsideTls
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.policies.older_permissions import OlderPermission
from kong_mesh_cp.core.xds.protocols import HTTP_LIKE
from kong_mesh_cp.core.xds.services.instances import Endpoint, TagPairs

CONNECT: Final = 5 * SECOND
PERMISSION: Final = "MeshTrafficPermission"
# Those that the original has an effect of at an egress. Others are with the clients.
FOR_CLIENTS: Final[tuple[Effect, ...]] = tuple(
    each
    for each in EFFECTS
    if each.policy_type in ("MeshFaultInjection", "MeshRateLimit", PERMISSION)
)
"""What an egress does for the clients of a service by its tag."""
FOR_RESOURCES: Final[tuple[Effect, ...]] = tuple(
    each
    for each in EFFECTS
    if each.policy_type in ("MeshLoadBalancingStrategy", "MeshHealthCheck", "MeshCircuitBreaker")
)
"""What an egress does for all callers of a service that is a resource, in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideChain:
    """One name that is asked for, with all that its filter chain depends on."""

    listener: str
    name: str
    server_name: str
    mesh: str
    service: str  # by its tag, or the name of the cluster of a resource
    cluster: str
    route: str  # the name of its routes
    protocol: str
    terms: HttpTerms
    tags: TagPairs = ()  # that are asked for
    permission: OlderPermission | None = None
    older: OlderInbound = NOTHING_OLDER
    clients: tuple[InboundConfs, ...] = ()  # one for each of FOR_CLIENTS; none of a resource
    resource: tuple[TypedConf | None, ...] = ()  # one for each of FOR_RESOURCES
    services: int = 1  # ExternalServices that share the tag
    is_open: bool = True  # of a resource: its mesh lets everybody out

    def asked_for(self, name: str, tags: TagPairs) -> OutsideChain:
        """The same for who asks for the server `name`, by `tags`."""
        return replace(self, server_name=name, tags=tags)


def outside_chain(plan: OutsideChain) -> Message:
    chain = ChainDraft(plan.name)
    chain.match = {"transport_protocol": "tls", "server_names": [plan.server_name]}
    chain.tls = downstream_tls(plan.mesh)
    if plan.protocol in HTTP_LIKE:
        _take_requests(chain, plan)
    else:
        proxy = tcp_proxy(plan.service, (plan.cluster, 0))
        if plan.tags:
            subset = proxy.metadata_match.filter_metadata["envoy.lb"]
            subset.CopyFrom(struct_of(plan.tags))
        chain.filters.append((TCP_PROXY, proxy))
    # Effects are on listeners; this one lends its name alone.
    listener = ListenerDraft(plan.listener, "", 0, inbound=True)
    listener.chains.append(chain)
    if plan.clients:
        _for_clients(listener, chain, plan)
    else:
        _for_all(listener, chain, plan)
    return chain.whole()


def _take_requests(chain: ChainDraft, plan: OutsideChain) -> None:
    manager = http_manager(plan.service, plan.terms)
    routes = manager.route_config
    routes.name = plan.route
    routes.validate_clusters.value = False
    host = routes.virtual_hosts.add(name=plan.service, domains=["*"])
    host.routes.add(match={"prefix": "/"}, route={"cluster": plan.cluster, "timeout": duration(0)})
    chain.filters.append((HTTP_MANAGER, manager))
    apply_older(chain, plan.older, plan.service, plan.cluster)
    for route in host.routes:
        # Servers outside know themselves by their own name.
        route.route.auto_host_rewrite.value = True


def _for_clients(listener: ListenerDraft, chain: ChainDraft, plan: OutsideChain) -> None:
    if plan.permission is not None:
        allowed = [rbac.clients(plan.mesh, each) for each in plan.permission.clients]
        rules = rbac.rules(plan.permission.policy, allowed)
        chain.filters.insert(0, (rbac.NETWORK_RBAC, rbac.network_rbac(plan.service, rules)))
    facts = InboundFacts(
        mesh=plan.mesh,
        address="",
        port=0,
        service=plan.service,
        protocol=plan.protocol,
        tags=plan.tags,
        mtls=True,
        older_permissions=plan.permission is not None,
    )
    for effect, confs in zip(FOR_CLIENTS, plan.clients, strict=True):
        # As in the original requests are judged once for each service of the name, which harms
        # nobody; faults and limits would add up, and have their effect once.
        hook, is_permission = effect.inbound_listener, effect.policy_type == PERMISSION
        for _ in range(plan.services if is_permission else 1):
            if hook is not None:
                hook(listener, facts, confs)


def _for_all(listener: ListenerDraft, chain: ChainDraft, plan: OutsideChain) -> None:
    everybody = [rbac.clients(plan.mesh, ())] if plan.is_open else []
    rbac.require(chain, plan.listener, rbac.rules(PERMISSION, everybody), None)
    facts = _facts(plan.mesh, plan.service, plan.protocol)
    for effect, conf in zip(FOR_RESOURCES, plan.resource, strict=True):
        if effect.outbound_listener is not None:
            effect.outbound_listener(listener, facts, DestinationConfs(conf))


def _facts(mesh: str, service: str, protocol: str) -> OutboundFacts:
    """Of a resource, which is not `is_external` here: here is where its policies take effect."""
    return OutboundFacts(mesh=mesh, service=service, protocol=protocol, is_resource=True)


def outside_cluster(
    name: str,
    places: tuple[ExternalPlace, ...],
    protocol: str,
    ipv6: bool,  # noqa: FBT001
) -> Message:
    """Of a service by its tag: each of its places may speak TLS in its own way."""
    draft = _cluster(name, tuple(each.endpoint for each in places), protocol, ipv6=ipv6)
    for place in places:
        if place.tls is not None:
            tags = [tag for tag in place.endpoint.tags if tag[0] != SERVICE]
            match_outside(draft.message, place.endpoint.address, tags, place.tls)
    return draft.whole()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCluster:
    """A service that is a resource, and where it is."""

    mesh: str
    protocol: str
    endpoints: tuple[Endpoint, ...]
    tls: OutsideTls | None
    ipv6: bool
    confs: tuple[TypedConf | None, ...]  # one for each of FOR_RESOURCES


def resource_cluster(name: str, plan: ResourceCluster) -> Message:
    draft = _cluster(name, plan.endpoints, plan.protocol, ipv6=plan.ipv6)
    if plan.tls is not None:
        host = plan.endpoints[0].address
        socket = tls_socket(outside_tls(host, plan.tls))
        draft.message.transport_socket_matches.add(name=host, transport_socket=socket)
    facts = _facts(plan.mesh, name, plan.protocol)
    for effect, conf in zip(FOR_RESOURCES, plan.confs, strict=True):
        if effect.outbound_cluster is not None:
            effect.outbound_cluster(draft, facts, DestinationConfs(conf))
    return draft.whole()


def _cluster(
    name: str, endpoints: tuple[Endpoint, ...], protocol: str, *, ipv6: bool
) -> ClusterDraft:
    draft = ClusterDraft(name, protocol)
    draft.with_endpoints(endpoints, ipv6=ipv6)
    draft.connect_within(CONNECT)
    draft.name_in_metrics()
    draft.speak(protocol)
    return draft
