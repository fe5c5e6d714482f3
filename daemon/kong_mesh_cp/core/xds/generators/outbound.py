"""What a proxy takes from its application and hands to services.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.xds.assignments import assignments
from kong_mesh_cp.core.xds.draft import Complaint, Draft
from kong_mesh_cp.core.xds.generators.older_outbound import OlderKey, OlderOutgoing, older_outgoing
from kong_mesh_cp.core.xds.generators.outbound_clusters import (
    Reached,
    Upstream,
    clustered,
    is_asked_for,
    is_ipv6,
    sources_of,
    upstream_of,
)
from kong_mesh_cp.core.xds.generators.outbound_listeners import (
    has_older_routes,
    listening,
    placed_listener,
)
from kong_mesh_cp.core.xds.generators.outbound_plan import destination_of, proxy_named, told_tags_of
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    LISTENER,
    outbound_listener,
)
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECT_TYPES
from kong_mesh_cp.core.xds.policies.load_balancing_effects import BALANCING, own_tags_of
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.services.backends import Backend, ServiceKey
from kong_mesh_cp.core.xds.world import MeshWorld

_ROUTE_TYPES: Final = (HTTP_ROUTE, TCP_ROUTE)
_OUTGOING_TYPES: Final = (*_ROUTE_TYPES, *EFFECT_TYPES)


class _Outgoing(NamedTuple):
    """All that the outbounds of a proxy come to, but for endpoints."""

    asked: frozenset[ServiceKey]
    listeners: Mapping[str, Resource]
    clusters: Mapping[str, Resource]
    reached: tuple[Reached, ...]
    trusted: frozenset[str]  # meshes in whose TLS some are spoken to
    complaints: tuple[Complaint, ...]


class _Called(NamedTuple):
    """What outbounds are for."""

    tags: frozenset[str]  # services by their tag
    resources: bool  # some that are resources, too


def _called(targets: tuple[OutboundTarget, ...]) -> _Called:
    tags = frozenset(each.service for each in targets if each.resource is None)
    return _Called(tags, any(each.resource is not None for each in targets))


def outbounds(
    view: ProxyView, targets: tuple[OutboundTarget, ...], matched: Matched, draft: Draft
) -> None:
    parts, world, shared = draft.parts, view.world, _shared(view, matched, draft.parts)
    called, _ = parts.made(("called", id(targets)), lambda: (_called(targets), targets))
    held: tuple[object, ...] = (targets,)
    if _has_routes(matched) or called.resources:
        # Which clusters there are, and what they are, says what is behind them as well.
        held = (targets, world.services, world.reached)
    # Held with what was made of them: the keys only say which objects they were.
    outgoing, _ = parts.made(
        (shared, "all", *map(id, held)),
        lambda: (_outgoing(view, targets, matched, parts, shared), held),
    )
    balancing = matched.of_type(BALANCING)
    # Held likewise.
    behind = (world.mesh, world.endpoints, world.reached, world.across, world.external)
    gateways = world.crossing.gateways
    ranked = (outgoing.reached, called, *behind, gateways, balancing.outgoing)
    own = own_tags_of(view) if balancing.policies else ()
    assigned, _ = parts.made(
        ("assigned", own, *map(id, ranked)),
        lambda: (
            assignments(sources_of(outgoing.reached, view, matched, called.tags), world, parts),
            ranked,
        ),
    )
    draft.services |= outgoing.asked
    draft.complaints += outgoing.complaints
    draft.put_all(LISTENER, outgoing.listeners)
    draft.put_all(CLUSTER, outgoing.clusters)
    draft.assign(assigned)
    draft.trusted |= outgoing.trusted


def _outgoing(
    view: ProxyView,
    targets: tuple[OutboundTarget, ...],
    matched: Matched,
    parts: Parts,
    shared: object,
) -> _Outgoing:
    world, older = view.world, OlderOutgoing()
    if has_older_routes(world):
        older = older_outgoing(view, targets, matched, parts, shared)
    # What routes of the newer generation say takes the place of it.
    asked, complaints = set(older.asked), list(older.complaints)
    listeners, clusters = dict(older.listeners), dict(older.clusters)
    wanted: dict[Backend, None] = {}
    for target in targets:
        destination = destination_of(target.to, world, asked)
        if destination is None:
            continue
        key = (shared, "listener", destination)
        found = parts.made(key, partial(listening, view, destination, matched))
        asked |= found.asked
        if found.error:
            name = outbound_listener(target.address, target.port)
            complaints.append(Complaint(name, found.error))
            continue
        wanted |= dict.fromkeys(found.sent_to)
        if not found.anywhere:
            continue
        place = (shared, target.address, target.port, destination)
        listener = parts.made(place, partial(placed_listener, target, found.anywhere))
        listeners[listener.name] = listener
    called = _called(targets)
    seen: set[str] = set()
    reached = {each.cluster: each for each in older.reached}
    trusted = set(older.trusted)
    for backend in wanted:
        upstream = _upstream(backend, world, parts, shared)
        # Of two references to one port, by its name and by its number, the first one counts.
        if upstream is None or upstream.name in seen:
            continue
        seen.add(upstream.name)
        is_called = is_asked_for(upstream.destination.to, called.tags)
        cluster = parts.made(
            (shared, "cluster", upstream, is_called),
            partial(clustered, upstream, view, matched, is_called=is_called),
        )
        if cluster.made is None:
            complaints.append(Complaint(upstream.name, cluster.error))
            continue
        clusters[upstream.name] = cluster.made
        if upstream.secured:
            trusted.add(upstream.mesh or world.name)
        if upstream.places:
            reached.pop(upstream.name, None)
        else:
            there = Reached(upstream.name, upstream.source, upstream.destination.to)
            reached[upstream.name] = there
    complaints += _left_out(world, asked)
    # The same object for the same clusters, however often they are made.
    there_are = (*reached.values(),)
    there_are = parts.made(("reached", there_are), lambda: there_are)
    return _Outgoing(
        frozenset(asked),
        listeners,
        clusters,
        there_are,
        frozenset(trusted),
        tuple(complaints),
    )


def _upstream(backend: Backend, world: MeshWorld, parts: Parts, shared: object) -> Upstream | None:
    if isinstance(backend.to, DestinationId):
        return upstream_of(backend, world)  # `shared` does not stand for all that it looks at
    return parts.made((shared, "upstream", backend), lambda: upstream_of(backend, world))


def _left_out(world: MeshWorld, asked: Iterable[ServiceKey]) -> Iterator[Complaint]:
    """What is not there of services outside of the mesh."""
    for service in sorted(world.external.keys() & asked):
        for fault in world.external[service].faults:
            yield Complaint(service, fault)


def _shared(view: ProxyView, matched: Matched, parts: Parts) -> object:
    """Stands for all that outbounds depend on beside their own tags and place.

    Proxies with the same policies about outgoing traffic have the same, so that what is made of one
    outbound of one of them is found again by few and small keys.
    """
    world = view.world
    outgoing = [each.outgoing for each in matched.of_types(_OUTGOING_TYPES)]
    # Held with what was made of them: the key only says which objects they were.
    held: tuple[object, ...] = (
        world.mesh,
        world.protocols,
        world.across,
        world.tls_ready,
        world.tells_tags,
        world.external,
        world.crossing.modes,
        *outgoing,
    )
    if _has_routes(matched):
        # They may refer to any service that is a resource.
        held = (*held, world.services)
    older = None
    if has_older_routes(world):
        policies, older = OlderKey.of(view, parts)
        held = (*held, policies)
    named = proxy_named(view, matched)
    tags = told_tags_of(view, matched)
    others = (tags, older, is_ipv6(view) if world.external else None)
    key = ("outbounds", view.http_terms, view.is_redirected, named, others, *map(id, held))
    made, _ = parts.made(key, lambda: (object(), held))
    return made


def _has_routes(matched: Matched) -> bool:
    return any(each.policies for each in matched.of_types(_ROUTE_TYPES))
