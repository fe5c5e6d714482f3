"""Connections that a zone proxy passes on as they come: it sees what they ask for, and no more.

Source: docs/wire/zone-proxies.md#passed-on
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.assignments import EndpointSource, EndpointWorld, assignments
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Cluster, Message, struct_of
from kong_mesh_cp.core.xds.envoy.http import tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import TCP_PROXY, ChainDraft
from kong_mesh_cp.core.xds.names import CLUSTER
from kong_mesh_cp.core.xds.services.instances import Endpoint, TagPairs, pairs
from kong_mesh_cp.core.xds.world import EndpointKey
from kong_mesh_cp.core.xds.zone_proxies.tagged_destinations import ANY, TaggedDestinations
from kong_mesh_cp.core.xds.zone_proxies.zone_view import mesh_cluster
from kong_mesh_cp.core.xds.zones.localities import Locality

CONNECT: Final = 5 * SECOND

Subsets = tuple[tuple[str, ...], ...]
"""Names of tags that together choose some of the endpoints of a cluster."""


class Passage(NamedTuple):
    """What is asked for in TLS, and where that leads."""

    server_name: str
    cluster: str
    tags: TagPairs = ()  # of the endpoints that are meant; empty: any
    mesh: str = ""
    service: str = ""

    def chain(self) -> ChainDraft:
        chain = ChainDraft()
        chain.match = {"transport_protocol": "tls", "server_names": [self.server_name]}
        proxy = tcp_proxy(self.cluster, (self.cluster, 0))
        if self.tags:
            subset = proxy.metadata_match.filter_metadata["envoy.lb"]
            subset.CopyFrom(struct_of(self.tags))
        chain.filters.append((TCP_PROXY, proxy))
        return chain


def tagged_passages(
    mesh: str,
    available: Iterable[Tags],
    destinations: TaggedDestinations,
    endpoints: Mapping[str, Sequence[Sequence[Endpoint]]],
) -> list[Passage]:
    """To the services with the tags in `available`; one for each way to ask for some of them."""
    found: dict[str, Passage] = {}
    for each in available:
        service = each.get(SERVICE, "")
        for destination in destinations.of(service):
            name = server_name(mesh, {**destination, SERVICE: service})
            if name not in found:
                tags = _choosing(destination, endpoints.get(service, ()))
                cluster = mesh_cluster(mesh, service)
                found[name] = Passage(name, cluster, tags, mesh, service)
    return list(found.values())


def asked_by_tags(cluster: str) -> str:
    """On which a proxy depends that is made as a whole with other endpoints of `cluster`: see
    `_choosing`.
    """
    return f"{cluster} by tags"


def _choosing(destination: Tags, some: Sequence[Sequence[Endpoint]]) -> TagPairs:
    """The tags of `destination` that not every address has: Envoy knows of endpoints at one
    address a single one.
    """
    asked = [key for key in destination if key != SERVICE]
    if not asked:  # as most are: nothing is looked at
        return ()
    endpoints = [each for one in some for each in one]
    places = {(each.address, each.port) for each in endpoints}

    def chooses(key: str, value: str) -> bool:
        fitting = (
            (each.address, each.port)
            for each in endpoints
            # A tag that is asked for as "" is one that the instance need not have.
            if value == ANY or dict(each.tags).get(key, "") == value
        )
        return len({*fitting}) < len(places)

    return pairs({key: destination[key] for key in asked if chooses(key, destination[key])})


def subsets_of(passages: Iterable[Passage], of_all: Iterable[Tags]) -> Subsets:
    """By which tags the cluster of `passages` is asked; `of_all`: as every cluster may be."""
    keys = [tuple(sorted(key for key, _ in each.tags)) for each in passages]
    keys += [tuple(sorted(key for key in each if key != SERVICE)) for each in of_all]
    return tuple(sorted({each for each in keys if each}))


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A cluster of what is passed on."""

    subsets: Subsets
    endpoints: EndpointSource


def found_behind(
    services: tuple[EndpointKey, ...] = (),
    others: tuple[Endpoint, ...] = (),
    locality: Locality | None = None,
) -> EndpointSource:
    """The endpoints that `services` have, as the zone knows them, and `others`."""
    return EndpointSource(services, _found_behind, (services, others), locality)


def _found_behind(
    world: EndpointWorld, services: tuple[EndpointKey, ...], others: tuple[Endpoint, ...]
) -> tuple[Endpoint, ...]:
    return (*(each for key in services for each in world.behind(key) or ()), *others)


def pass_on(clusters: Mapping[str, PassedOn], world: EndpointWorld, draft: Draft) -> None:
    """All clusters of the proxy for what it passes on, by name, with their endpoints."""
    for name, each in clusters.items():
        draft.add(CLUSTER, name, _cluster, each.subsets)
    sources = {name: each.endpoints for name, each in clusters.items()}
    draft.assign(assignments(sources, world, draft.parts))


def _cluster(name: str, subsets: Subsets) -> Message:
    draft = ClusterDraft(name)
    draft.with_endpoints_from_ads()
    draft.connect_within(CONNECT)
    draft.name_in_metrics()
    if subsets:
        # What is asked for and not there is not somewhere else.
        selectors = [{"keys": keys, "fallback_policy": "NO_FALLBACK"} for keys in subsets]
        config = {"fallback_policy": "ANY_ENDPOINT", "subset_selectors": selectors}
        draft.message.MergeFrom(Cluster(lb_subset_config=config))
    return draft.whole()
