"""Outbounds of a mesh that has TrafficRoutes: these say where traffic goes, and policies of the
older generation hold on its way. Those with a targetRef have their effects afterwards.

Source: docs/wire/older-policies.md#outbounds
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Complaint
from kong_mesh_cp.core.xds.effects import own_tags
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts, proxy_facts
from kong_mesh_cp.core.xds.generators.older.older_cluster import OlderTarget, older_cluster
from kong_mesh_cp.core.xds.generators.older.older_listener import Surroundings, older_listener
from kong_mesh_cp.core.xds.generators.older.older_plan import (
    OlderPlan,
    is_outside,
    older_plan,
    older_upstream,
)
from kong_mesh_cp.core.xds.generators.older.older_policies import (
    LOG,
    OF_OUTBOUNDS,
    OlderPolicies,
    older_policies,
)
from kong_mesh_cp.core.xds.generators.older.older_routes import default_services
from kong_mesh_cp.core.xds.generators.outbound_clusters import Reached, Upstream, is_ipv6
from kong_mesh_cp.core.xds.generators.outbound_listeners import placed_listener
from kong_mesh_cp.core.xds.generators.outbound_plan import Destination, about
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import outbound_listener
from kong_mesh_cp.core.xds.parts import Parts, resource
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.world import TagPairs


class OlderOutgoing(NamedTuple):
    """All that the outbounds of a proxy come to, but for endpoints."""

    asked: frozenset[ServiceKey] = frozenset()
    listeners: Mapping[str, Resource] = {}
    clusters: Mapping[str, Resource] = {}
    reached: tuple[Reached, ...] = ()
    trusted: frozenset[str] = frozenset()  # meshes in whose TLS some are spoken to
    complaints: tuple[Complaint, ...] = ()


class _Listening(NamedTuple):
    asked: frozenset[ServiceKey]
    anywhere: bytes = b""
    sent_to: tuple[OlderTarget, ...] = ()
    error: str = ""


class _AboutServices(NamedTuple):
    """Which policies are in force for clusters of a service."""

    policed: frozenset[str]  # of the older generation: some outbound leads there by default
    called: frozenset[str]  # with a targetRef: some outbound is for it


class _Clustered(NamedTuple):
    upstream: Upstream
    made: Resource | None = None
    error: str = ""


def older_outgoing(
    view: ProxyView,
    targets: Iterable[OutboundTarget],
    matched: Matched,
    parts: Parts,
    shared: object,
) -> OlderOutgoing:
    """`shared` stands for all that outbounds depend on beside their own tags and place; the
    OlderKey is in it.
    """
    policies = OlderKey.of(view, parts).policies
    own = _Own(view, matched, policies, (shared, "older"))
    by_tags = [each for each in targets if each.tags]
    policed = frozenset(
        service
        for tags in dict.fromkeys(each.tags for each in by_tags)
        for service in parts.made(
            (own.key, "policed", tags), partial(_default_services, policies, tags)
        )
    )
    asked: set[ServiceKey] = set()
    complaints: list[Complaint] = []
    wanted: dict[TagPairs, OlderTarget] = {}
    listeners: dict[str, Resource] = {}
    for target in by_tags:
        is_policed = target.service in policed
        found = parts.made(
            (own.key, "listener", target.tags, is_policed),
            partial(own.listening, target.tags, is_policed=is_policed),
        )
        asked |= found.asked
        if found.error:
            name = outbound_listener(target.address, target.port)
            complaints.append(Complaint(name, found.error))
            continue
        # Where several lead to the same instances the last one decides how.
        wanted |= {each.tags: each for each in found.sent_to}
        listener = parts.made(
            (own.key, target.address, target.port, target.tags, is_policed),
            partial(placed_listener, target, found.anywhere),
        )
        listeners[listener.name] = listener
    made = OlderOutgoing(frozenset(asked), listeners, complaints=tuple(complaints))
    about_services = _AboutServices(policed, frozenset(each.service for each in by_tags))
    return _with_clusters(made, own, wanted.values(), about_services, parts)


def _with_clusters(
    made: OlderOutgoing,
    own: _Own,
    wanted: Iterable[OlderTarget],
    services: _AboutServices,
    parts: Parts,
) -> OlderOutgoing:
    complaints, trusted = list(made.complaints), set[str]()
    clusters: dict[str, Resource] = {}
    reached: list[Reached] = []
    for each in wanted:
        service = dict(each.tags)[SERVICE]
        is_policed, is_called = service in services.policed, service in services.called
        found = parts.made(
            (own.key, "cluster", each, is_policed, is_called),
            partial(own.clustered, each, is_policed=is_policed, is_called=is_called),
        )
        upstream = found.upstream
        if found.made is None:
            complaints.append(Complaint(upstream.name, found.error))
            continue
        clusters[upstream.name] = found.made
        if upstream.secured:
            trusted.add(upstream.mesh or own.mesh)
        if not upstream.places:
            to = upstream.destination.to
            reached.append(Reached(upstream.name, upstream.source, to))
    return made._replace(
        clusters=clusters,
        reached=tuple(reached),
        trusted=frozenset(trusted),
        complaints=tuple(complaints),
    )


def _default_services(policies: OlderPolicies, tags: TagPairs) -> tuple[str, ...]:
    return default_services(policies.route(dict(tags).get(SERVICE, "")), tags)


class OlderKey(NamedTuple):
    """What older outbounds depend on beside what others do as well."""

    policies: OlderPolicies  # the same object as long as nothing of them has changed
    logged: ProxyFacts | None  # where lines may name it

    @staticmethod
    def of(view: ProxyView, parts: Parts) -> OlderKey:
        policies = older_policies(view.world, view.dataplane.spec.tag_sets, OF_OUTBOUNDS, parts)
        return OlderKey(policies, proxy_facts(view) if view.world.of_type(LOG) else None)


class _Own:
    """What parts of one proxy are made of; those with an equal `key` make the same."""

    def __init__(
        self, view: ProxyView, matched: Matched, policies: OlderPolicies, key: object
    ) -> None:
        self._view = view
        self._matched = matched
        self._policies = policies
        self.key = key

    @property
    def mesh(self) -> str:
        return self._view.world.name

    def listening(self, tags: TagPairs, *, is_policed: bool) -> _Listening:
        asked, world = set[ServiceKey](), self._view.world
        try:
            plan = older_plan(tags, self._policies, world, asked, policed=is_policed)
            destination = Destination(tags, plan.service, world.protocol(plan.service))
            facts, confs = about(self._view, destination, self._matched)
            anywhere = older_listener(plan, self._surroundings(plan), facts, confs)
        except WRONG_INPUT as error:
            return _Listening(frozenset(asked), error=str(error))
        sent_to = tuple(
            OlderTarget(tags=each.tags, timeouts=plan.timeouts, balancer=plan.balancer)
            for each in plan.shares
        )
        return _Listening(frozenset(asked), anywhere, sent_to)

    def clustered(self, target: OlderTarget, *, is_policed: bool, is_called: bool) -> _Clustered:
        world = self._view.world
        upstream = older_upstream(target.tags, world, self._policies)
        try:
            destination = upstream.destination
            facts, confs = about(self._view, destination, self._matched, is_called=is_called)
            message = older_cluster(
                upstream,
                target,
                replace(facts, is_external=is_outside(upstream, world)),
                confs,
                policies=self._policies if is_policed else None,
                ipv6=is_ipv6(self._view),
            )
            return _Clustered(upstream, resource(upstream.name, message))
        except WRONG_INPUT as error:
            return _Clustered(upstream, error=str(error))

    def _surroundings(self, plan: OlderPlan) -> Surroundings:
        view, world = self._view, self._view.world
        found = (
            (each.service, older_upstream(each.tags, world, self._policies)) for each in plan.shares
        )
        return Surroundings(
            terms=view.http_terms,
            redirected=view.is_redirected,
            proxy=proxy_facts(view),
            told_tags=own_tags(view),
            tells_always=world.tells_tags,
            outside=frozenset(
                service for service, upstream in found if is_outside(upstream, world)
            ),
        )
