"""One mesh as inspection reads it: all of one moment, each resource read once while it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar, cast

import trio

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.policy.legacy.attachments import LegacyView
from kong_mesh_cp.core.policy.legacy.selectors import legacy_policy
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import mesh_view, proxy_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.usecases.following.mesh_context import MeshContext
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import document_of, resource_of
from kong_mesh_cp.usecases.resources.reader import MESH, ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import mesh_not_found
from kong_mesh_cp.usecases.resources.sweeping import in_slices

DATAPLANE: Final = "Dataplane"
TRAFFIC_ROUTE: Final = "TrafficRoute"

# What decides about the proxies of a mesh.
VIEWED: Final = (
    MESH,
    *TRAITS,
    "MeshExternalService",
    "MeshGateway",
    "MeshMultiZoneService",
    "MeshService",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredDataplane:
    """A Dataplane: as a resource, by its fields, and as policies are matched to it."""

    resource: Resource
    spec: Dataplane
    proxy: Proxy


class MeshReading:
    """Reads meshes. Errors as those of `ResourceReader`."""

    def __init__(self, replica: Replica, reading: ResourceReader) -> None:
        self._replica = replica
        self._reading = reading
        self._one_judge = trio.CapacityLimiter(1)

    async def context(self, mesh: str, *types: str) -> MeshContext:
        """`types` of a mesh, and itself; it is there. Raises: ResourceRefusedError, StateError."""
        context = await self._replica.context(mesh, dict.fromkeys((MESH, *types)))
        if context.mesh_resource is None:
            raise mesh_not_found()
        return context

    async def view(self, user: User, context: MeshContext) -> MeshView:
        """What decides about the proxies, as far as `user` may see it. `context` has VIEWED."""
        sees_secrets = self._reading.sees_secrets(user, context.mesh)
        name = ("view", sees_secrets)
        kept = context.derived(name, VIEWED)
        if isinstance(kept, MeshView):
            return kept
        listed = [
            _viewed(await self._reading.visible(user, each))
            for viewed in VIEWED
            async for each in in_slices(context.of_type(viewed))
        ]
        view = await self.in_worker_thread(partial(mesh_view, listed, _spec_document))
        context.keep(name, VIEWED, view)
        return view

    async def dataplanes(self, context: MeshContext) -> AsyncIterator[StoredDataplane]:
        """Those of `context`, which has DATAPLANE; others have turns between them."""
        name, types = "dataplanes", (DATAPLANE,)
        kept = context.derived(name, types)
        if kept is not None:
            async for each in in_slices(cast("tuple[StoredDataplane, ...]", kept)):
                yield each
            return
        is_kept, read = context.is_kept(types), list[StoredDataplane]()
        async for stored in in_slices(context.of_type(DATAPLANE)):
            dataplane = stored_dataplane(stored)
            if is_kept:
                read.append(dataplane)
            yield dataplane
        context.keep(name, types, tuple(read))

    async def resources(self, context: MeshContext, types: Iterable[str]) -> list[Resource]:
        """The resources of some `types` of `context`."""
        return [
            resource_of(each)
            for type_name in types
            async for each in in_slices(context.of_type(type_name))
        ]

    async def legacy(self, context: MeshContext, types: tuple[str, ...]) -> LegacyView:
        """The policies of the older generation among `types` of `context`."""
        name = ("legacy", types)
        kept = context.derived(name, types)
        if isinstance(kept, LegacyView):
            return kept
        found = await self.resources(context, types)
        policies = (legacy_policy(each) for each in found)
        view = LegacyView(
            tuple(each for each in policies if each is not None),
            {each.name: each.spec for each in found if isinstance(each.spec, TrafficRoute)},
        )
        context.keep(name, types, view)
        return view

    async def in_worker_thread(self, judge: Callable[[], T]) -> T:
        """What `judge` says, in a thread: it takes as long as policies have parts.

        One at a time: a thread has its turns from the event loop, and several leave it few.
        """
        return await trio.to_thread.run_sync(judge, limiter=self._one_judge)


def stored_dataplane(stored: StoredResource) -> StoredDataplane:
    """Raises: ParseError or InvalidResourceError for what no release of this program has stored;
    TypeError for another resource.
    """
    resource = resource_of(stored)
    if not isinstance(resource.spec, Dataplane):
        raise TypeError(f"{stored.key} is no Dataplane")
    return StoredDataplane(resource, resource.spec, proxy_of(resource, resource.spec))


def _viewed(stored: StoredResource) -> Resource:
    """With the JSON of its spec, which is all that is read of it; gateways are read as such."""
    return resource_of(stored) if stored.key.type == "MeshGateway" else document_of(stored)


def _spec_document(resource: Resource) -> Mapping[str, object]:
    return resource.spec if isinstance(resource.spec, dict) else {}
