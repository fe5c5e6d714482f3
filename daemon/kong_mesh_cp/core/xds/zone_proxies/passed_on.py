"""Connections that a zone proxy passes on as they come: it sees what they ask for, and no more.

Source: docs/wire/zone-proxies.md#passed-on
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.endpoints import load_assignment
from kong_mesh_cp.core.xds.envoy.envoy_messages import Cluster, Message, struct_of
from kong_mesh_cp.core.xds.envoy.http import tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import TCP_PROXY, ChainDraft
from kong_mesh_cp.core.xds.names import CLUSTER, ENDPOINT
from kong_mesh_cp.core.xds.parts import resource
from kong_mesh_cp.core.xds.services.instances import Endpoint, TagPairs, pairs
from kong_mesh_cp.core.xds.zone_proxies.tagged_destinations import ANY, TaggedDestinations
from kong_mesh_cp.core.xds.zones.localities import Locality, RuledLocality, placed_by

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


def mesh_cluster(mesh: str, service: str) -> str:
    """The cluster of a service by its tag: other meshes may have one of the same name."""
    return f"{mesh}:{service}"


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


def pass_on(
    name: str,
    subsets: Subsets,
    endpoints: Sequence[Sequence[Endpoint]],
    draft: Draft,
    locality: Locality | None = None,
) -> None:
    """The cluster called `name`, and its endpoints. Those of one sequence never change: which ones
    they are is said by the sequence.
    """
    draft.add(CLUSTER, name, _cluster, subsets)
    # Held with what was made of them: the key only says which objects they were. To hash endpoints
    # takes as long as there are many.
    key = ("passed on", name, locality, *map(id, endpoints))
    made, _ = draft.parts.made(
        key, lambda: (resource(name, _assignment(name, endpoints, locality)), endpoints)
    )
    draft.put_all(ENDPOINT, {name: made})


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


def _assignment(
    name: str, endpoints: Sequence[Sequence[Endpoint]], locality: Locality | None
) -> Message:
    found = [each for some in endpoints for each in some]
    placed = found if locality is None else placed_by(locality, found)
    factor = locality.overprovisioning if isinstance(locality, RuledLocality) else 0
    return load_assignment(name, placed, overprovisioning=factor)
