"""What a proxy takes from its application and hands to services.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.xds.assignments import EndpointSource, assignments
from kong_mesh_cp.core.xds.draft import Complaint, Draft
from kong_mesh_cp.core.xds.generators.older_outbound import OlderOutgoing, older_outgoing
from kong_mesh_cp.core.xds.generators.outbound_clusters import clustered, sources_of
from kong_mesh_cp.core.xds.generators.outbound_listeners import (
    has_older_outbounds,
    listening,
    placed_listener,
)
from kong_mesh_cp.core.xds.generators.outbound_plan import proxy_named
from kong_mesh_cp.core.xds.generators.outside_clusters import is_ipv6
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    LISTENER,
    outbound_listener,
    service_cluster,
)
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs


class _Outgoing(NamedTuple):
    """All that the outbounds of a proxy come to, but for endpoints."""

    asked: frozenset[str]
    listeners: Mapping[str, Resource]
    clusters: Mapping[str, Resource]
    reached: tuple[TagPairs, ...]  # whose clusters have the endpoints of their service
    gated: tuple[tuple[str, EndpointSource], ...]  # clusters that have others
    secured: bool  # some are spoken to in the mesh's TLS
    complaints: tuple[Complaint, ...]


def outbounds(
    view: ProxyView, targets: tuple[OutboundTarget, ...], matched: Matched, draft: Draft
) -> None:
    parts, world, shared = draft.parts, view.world, _shared(view, matched, draft.parts)
    # Held with what was made of them: the keys only say which objects they were.
    outgoing, _ = parts.made(
        (shared, "all", id(targets)),
        lambda: (_outgoing(view, targets, matched, parts, shared), targets),
    )
    assigned, _ = parts.made(
        ("assigned", outgoing.reached, outgoing.gated, id(world.endpoints)),
        lambda: (assignments(_sources(outgoing), world, parts), world.endpoints),
    )
    draft.services |= outgoing.asked
    draft.complaints += outgoing.complaints
    draft.put_all(LISTENER, outgoing.listeners)
    draft.put_all(CLUSTER, outgoing.clusters)
    draft.assign(assigned)
    if outgoing.secured:
        draft.trusted.add(world.name)


def _outgoing(
    view: ProxyView,
    targets: tuple[OutboundTarget, ...],
    matched: Matched,
    parts: Parts,
    shared: object,
) -> _Outgoing:
    older = OlderOutgoing()
    if has_older_outbounds(view.world):
        older = older_outgoing(view, targets, matched, parts, shared)
    asked = set(older.asked)
    complaints = list(older.complaints)
    wanted: dict[TagPairs, None] = {}
    listeners = dict(older.listeners)
    for target in targets:
        key = (shared, "listener", target.tags)
        found = parts.made(key, partial(listening, view, target.tags, matched))
        asked |= found.asked
        if found.is_older:
            continue
        if found.error:
            name = outbound_listener(target.address, target.port)
            complaints.append(Complaint(name, found.error))
            continue
        wanted |= found.sent_to
        place = (shared, target.address, target.port, target.tags)
        listener = parts.made(place, partial(placed_listener, target, found.anywhere))
        listeners[listener.name] = listener
    clusters = dict(older.clusters)
    reached = dict.fromkeys(older.reached)
    gated = dict(older.gated)
    secured = older.secured
    for tags in wanted:
        name = service_cluster(dict(tags))
        cluster = parts.made(
            (shared, "cluster", tags), partial(clustered, name, view, tags, matched)
        )
        asked |= cluster.asked
        if cluster.made is None:
            complaints.append(Complaint(name, cluster.error))
            continue
        clusters[name] = cluster.made
        secured |= cluster.secured
        if cluster.source is not None:
            gated[name] = cluster.source
        elif not cluster.is_placed:
            reached[tags] = None
    complaints += _left_out(view.world, asked)
    return _Outgoing(
        frozenset(asked),
        listeners,
        clusters,
        tuple(reached),
        tuple(gated.items()),
        secured,
        tuple(complaints),
    )


def _left_out(world: MeshWorld, services: Iterable[str]) -> Iterator[Complaint]:
    """What is not there of services outside of the mesh."""
    for service in sorted(services):
        outside = world.external.get(service)
        for fault in () if outside is None else outside.faults:
            yield Complaint(service, fault)


def _sources(outgoing: _Outgoing) -> Mapping[str, EndpointSource]:
    return {**sources_of(outgoing.reached), **dict(outgoing.gated)}


def _shared(view: ProxyView, matched: Matched, parts: Parts) -> object:
    """Stands for all that outbounds depend on beside their own tags and place.

    Proxies with the same policies about outgoing traffic have the same, so that what is made of one
    outbound of one of them is found again by few and small keys.
    """
    world = view.world
    types = (HTTP_ROUTE, TCP_ROUTE, *(each.policy_type for each in EFFECTS))
    outgoing = (matched.of_type(each).outgoing for each in types)
    # Held with what was made of them: the key only says which objects they were.
    held = (world.mesh, world.protocols, world.tls_ready, world.external, *outgoing)
    named = proxy_named(view, matched)
    others = (has_older_outbounds(world), is_ipv6(view) if world.external else None)
    key = ("outbounds", view.http_terms, view.is_redirected, named, others, *map(id, held))
    made, _ = parts.made(key, lambda: (object(), held))
    return made
