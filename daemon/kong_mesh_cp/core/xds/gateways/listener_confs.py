"""What policies say about the traffic that comes in by one listener of a gateway.

Source: docs/wire/gateways.md#policies
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.matched import ToRules
from kong_mesh_cp.core.policy.rules.proxies import Listener
from kong_mesh_cp.core.policy.rules.resource_rules import rule_for_destination
from kong_mesh_cp.core.policy.rules.subset_rules import rule_for
from kong_mesh_cp.core.policy.service_rules import rules_about
from kong_mesh_cp.core.policy.typed_confs import ClientConf, DestinationConfs, TypedConf
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayDestination,
    GatewayHost,
    GatewayListener,
    GatewayRoute,
)
from kong_mesh_cp.core.xds.matching import MatchedType
from kong_mesh_cp.core.xds.proxy_view import ProxyView


class ListenerConfs:
    """Those of one type of policies. Each is read when it is asked for, which may raise
    UnreadableConfError.
    """

    def __init__(self, policy_type: str, rules: ToRules) -> None:
        self._type = policy_type
        self._rules = rules

    @property
    def of_all(self) -> DestinationConfs:
        """What holds wherever the traffic goes, and for routes by the hash of their matches."""
        found = rules_about(self._rules.services, {})
        routes = {each: TypedConf(self._type, rule.conf) for each, rule in found.routes.items()}
        conf = None if found.about is None else TypedConf(self._type, found.about.conf)
        return DestinationConfs(conf, tuple(sorted(routes.items())), selected=True)

    @property
    def of_clients(self) -> tuple[ClientConf, ...]:
        """All of them, each for those whose tags it names."""
        return tuple(
            ClientConf(each.subset, TypedConf(self._type, each.conf))
            for each in self._rules.services
        )

    def of_service(self, service: str) -> TypedConf | None:
        """What holds for what goes to `service`: its tag, or the name of a resource's cluster."""
        rule = rule_for(self._rules.services, {SERVICE: service})
        return None if rule is None else TypedConf(self._type, rule.conf)

    def of_resource(self, wanted: DestinationId) -> TypedConf | None:
        """What holds for what goes to a service that is a resource."""
        rule = rule_for_destination(self._rules.resources, wanted)
        return None if rule is None or not rule.confs else TypedConf(self._type, rule.confs[0])


def place_at(view: ProxyView, planned: GatewayListener) -> Listener:
    """Where policies find a listener."""
    return Listener(view.networking.address, planned.port)


def confs_at(found: MatchedType, view: ProxyView, planned: GatewayListener) -> ListenerConfs | None:
    """None: no policy of the type is about the listener."""
    rules = found.at_listener(place_at(view, planned))
    return None if rules is None else ListenerConfs(found.type, rules)


def told_listeners(
    draft: GatewayDraft, found: MatchedType, view: ProxyView
) -> Iterator[tuple[GatewayListener, ListenerDraft, ListenerConfs]]:
    """Those that take traffic and that some policy of the type is about."""
    for planned in draft.plan.listeners:
        confs, listener = confs_at(found, view, planned), draft.listener(planned)
        if confs is not None and listener is not None:
            yield planned, listener, confs


def led_to(
    draft: GatewayDraft, hosts: Iterable[GatewayHost]
) -> Iterator[tuple[ClusterDraft, GatewayDestination]]:
    """The clusters that `hosts` lead to, each once."""
    found = (each for host in hosts for route in host.routes for each in route.leads_to)
    for destination in {each.cluster: each for each in found}.values():
        cluster = draft.clusters.get(destination.cluster)
        if cluster is not None:
            yield cluster, destination


def resources_led_to(draft: GatewayDraft) -> Iterator[tuple[ClusterDraft, DestinationId, str]]:
    """The clusters of services that are resources, with the protocol of the route."""
    for name, destination in draft.destinations.items():
        if isinstance(destination.to, DestinationId) and name in draft.clusters:
            yield draft.clusters[name], destination.to, destination.protocol


def tables_of(draft: GatewayDraft, planned: GatewayListener) -> Iterator[Message]:
    """The tables of a listener's routes, each once."""
    for name in dict.fromkeys(planned.table(each.hostname) for each in planned.hostnames):
        if name in draft.tables:
            yield draft.tables[name]


def routes_of(draft: GatewayDraft, planned: GatewayListener) -> Iterator[Message]:
    """The routes of all its hosts."""
    for table in tables_of(draft, planned):
        for host in table.virtual_hosts:
            yield from host.routes


def planned_routes(
    draft: GatewayDraft, planned: GatewayListener
) -> Iterator[tuple[GatewayHost, GatewayRoute, Message]]:
    """The routes that were planned, with what is made of them."""
    hosts: dict[str, list[GatewayHost]] = {}
    for each in planned.hostnames:
        hosts.setdefault(planned.table(each.hostname), []).extend(each.hosts)
    for name, of_table in hosts.items():
        if name in draft.tables:
            for host, made in zip(of_table, draft.tables[name].virtual_hosts, strict=True):
                # A host without routes has a message that says so.
                for route, message in zip(host.routes, made.routes, strict=False):
                    yield host, route, message
