"""Which endpoints a cluster gets, kept apart from the rest: they come and go more often.

The source of an assignment says of which services it is made, so that a change of their endpoints
makes the assignment anew and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import (
    NO_RESOURCES,
    Resource,
    Snapshot,
    TypeResources,
)
from kong_mesh_cp.core.xds.envoy.endpoints import load_assignment
from kong_mesh_cp.core.xds.names import ENDPOINT
from kong_mesh_cp.core.xds.parts import Parts, resource
from kong_mesh_cp.core.xds.zones.localities import Locality, RuledLocality, placed_by

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.world import Endpoint, EndpointKey


class EndpointWorld(Protocol):
    """Where endpoints are found: a mesh, or all meshes of a zone."""

    @property
    def beside(self) -> tuple[object, ...]:
        """What `EndpointSource.find` may look at besides what is `behind` its services."""
        ...

    def behind(self, key: EndpointKey) -> tuple[Endpoint, ...] | None:
        """The endpoints of `key`; None: there are none."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointSource:
    """From where the endpoints of one cluster come.

    `find(world, *arguments)` gives them, in any order; of the world it looks at the endpoints of
    `services`, by their tag or ports of those that are resources, and at what is `beside` them.
    `locality` says which come first.
    """

    services: tuple[EndpointKey, ...]
    find: Callable[..., tuple[Endpoint, ...]]
    arguments: tuple[Hashable, ...] = ()
    locality: Locality | None = None  # None: as they are


def assignment(
    cluster: str, source: EndpointSource, world: EndpointWorld, parts: Parts
) -> Resource:
    """The endpoints of `cluster` in `world`, as they are sent."""
    # Held with what was made of them: the key only says which objects they were. To hash endpoints
    # takes as long as there are many, for each proxy that calls them.
    held = (*world.beside, *map(world.behind, source.services))

    def make() -> tuple[Resource, object]:
        found, locality = source.find(world, *source.arguments), source.locality
        if locality is not None:
            found = placed_by(locality, found)
        factor = locality.overprovisioning if isinstance(locality, RuledLocality) else 0
        message = load_assignment(cluster, found, overprovisioning=factor)
        return resource(cluster, message), held

    key = (source.find, cluster, source.arguments, source.locality, *map(id, held))
    made, _ = parts.made(key, make)
    return made


@dataclass(frozen=True, slots=True)
class Assignments:
    """The endpoints of several clusters."""

    sources: Mapping[str, EndpointSource]  # by cluster
    services: frozenset[EndpointKey]  # of all sources
    resources: TypeResources


NOTHING_ASSIGNED: Final = Assignments({}, frozenset(), NO_RESOURCES)


def assignments(
    sources: Mapping[str, EndpointSource], world: EndpointWorld, parts: Parts
) -> Assignments:
    """What `sources`, by cluster, come to in `world`."""
    return Assignments(
        sources,
        frozenset(service for each in sources.values() for service in each.services),
        TypeResources.of(
            assignment(cluster, source, world, parts) for cluster, source in sources.items()
        ),
    )


def reassigned(
    snapshot: Snapshot,
    sources: Mapping[str, EndpointSource],
    services: Collection[EndpointKey],
    world: EndpointWorld,
    parts: Parts,
) -> Snapshot:
    """`snapshot` with the endpoints that `services` have in `world`. `sources` are by cluster."""
    there = snapshot.of_type(ENDPOINT).resources
    made = {
        cluster: assignment(cluster, source, world, parts)
        for cluster, source in sources.items()
        if any(each in services for each in source.services)
    }
    if all(there.get(cluster) == each for cluster, each in made.items()):
        return snapshot
    resources = TypeResources.of({**there, **made}.values())
    return Snapshot({**snapshot.by_type, ENDPOINT: resources})
