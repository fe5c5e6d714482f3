"""One mesh as inspection reads it: all of one moment, each resource read once while it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Final, TypeVar, cast

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.policy.legacy.attachments import LegacyView
from kong_mesh_cp.core.policy.legacy.selectors import legacy_policy
from kong_mesh_cp.core.policy.rules import proxies as rule_proxies
from kong_mesh_cp.core.policy.rules.destinations import Destination, Destinations
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of as proxy_of_resource
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Meta, Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.specs import destination_of, policy_of, proxy_of
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.usecases.following.mesh_context import MeshContext
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.inspection.inspected_types import GATEWAY
from kong_mesh_cp.usecases.inspection.read_once import ReadOnce
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_as, resource_of, spec_document
from kong_mesh_cp.usecases.resources.reader import MESH, ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import mesh_not_found
from kong_mesh_cp.usecases.resources.sweeping import in_slices, read_slices

DATAPLANE: Final = "Dataplane"
TRAFFIC_ROUTE: Final = "TrafficRoute"

_SERVICES: Final = ("MeshExternalService", "MeshMultiZoneService", "MeshService")
VIEWED: Final = (MESH, *TRAITS, GATEWAY, *_SERVICES)
"""What decides about the proxies of a mesh."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredDataplane:
    """A Dataplane: as a resource, by its fields, and as policies are matched to it."""

    resource: Resource[Dataplane]
    spec: Dataplane
    proxy: Proxy


class MeshReading:
    """Reads meshes. Errors as those of `ResourceReader`."""

    def __init__(self, replica: Replica, reading: ResourceReader) -> None:
        self._replica = replica
        self._reading = reading
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._policies = ReadOnce(_policy)
        self._destinations = ReadOnce(_destination)
        self._proxies = ReadOnce(matched_proxy)

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
        found = {
            each: await self._reading.all_visible(user, context.of_type(each)) for each in VIEWED
        }
        view = await self.in_worker_thread(partial(self._view_of, context.mesh, found))
        context.keep(name, VIEWED, view)
        return view

    async def view_of_policy(
        self, user: User, context: MeshContext, stored: StoredResource
    ) -> tuple[Policy, MeshView]:
        """A policy, and of its mesh only what decides about it: the gateways, and routes that it
        may mean. `context` has GATEWAY and HTTP_ROUTE.
        """
        policy = await self.in_worker_thread(partial(_policy, stored))
        routes: Sequence[StoredResource] = ()
        if policy.target.kind == HTTP_ROUTE:
            routes = await self._reading.all_visible(user, context.of_type(HTTP_ROUTE))
        gateways = await self._reading.all_visible(user, context.of_type(GATEWAY))

        def view() -> MeshView:
            return MeshView(tuple(map(_policy, routes)), tuple(_gateways(gateways)))

        return policy, await self.in_worker_thread(view)

    async def proxies(self, context: MeshContext) -> AsyncIterator[tuple[StoredResource, Proxy]]:
        """The Dataplanes of `context`, which has DATAPLANE, as policies are matched to them."""
        passage = self._proxies.passage(context.mesh)

        def read(some: Sequence[StoredResource]) -> list[tuple[StoredResource, Proxy]]:
            return [(each, passage.value(each)) for each in some]

        async for part in read_slices(context.of_type(DATAPLANE), read):
            for pair in part:
                yield pair
        self._proxies.end(passage)

    async def dataplanes(self, context: MeshContext) -> AsyncIterator[StoredDataplane]:
        """Those of `context`, which has DATAPLANE; others have turns between them."""
        name, types = "dataplanes", (DATAPLANE,)
        kept = context.derived(name, types)
        if kept is not None:
            async for each in in_slices(cast("tuple[StoredDataplane, ...]", kept)):
                yield each
            return
        is_kept, read = context.is_kept(types), list[StoredDataplane]()
        async for part in read_slices(context.of_type(DATAPLANE), _stored_dataplanes):
            for dataplane in part:
                if is_kept:
                    read.append(dataplane)
                yield dataplane
        context.keep(name, types, tuple(read))

    async def resources(self, context: MeshContext, types: Iterable[str]) -> list[Resource[object]]:
        """The resources of some `types` of `context`."""
        return [
            each
            for type_name in types
            async for part in read_slices(context.of_type(type_name), _resources)
            for each in part
        ]

    async def legacy(self, context: MeshContext, types: tuple[str, ...]) -> LegacyView:
        """The policies of the older generation among `types` of `context`."""
        name = ("legacy", types)
        kept = context.derived(name, types)
        if isinstance(kept, LegacyView):
            return kept
        found = await self.resources(context, types)
        view = await self.in_worker_thread(partial(_legacy_view, found))
        context.keep(name, types, view)
        return view

    def _view_of(self, mesh: str, found: Mapping[str, Sequence[StoredResource]]) -> MeshView:
        policies = chain.from_iterable(found[each] for each in TRAITS)
        deciding = chain.from_iterable(found[each] for each in (MESH, *_SERVICES))
        return MeshView(
            policies=tuple(self._policies.of_mesh(mesh, policies)),
            gateways=tuple(_gateways(found[GATEWAY])),
            destinations=Destinations(self._destinations.of_mesh(mesh, deciding)),
        )

    async def in_worker_thread(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a thread: it takes as long as policies have parts.

        One at a time: a thread has its turns from the event loop, and several leave it few.
        """
        return await trio.to_thread.run_sync(work, limiter=self._one_at_a_time)


def stored_dataplane(stored: StoredResource) -> StoredDataplane:
    """Raises: ParseError or InvalidResourceError for what no release of this program has stored;
    TypeError for another resource.
    """
    resource = resource_as(Dataplane, stored)
    return StoredDataplane(resource, resource.spec, proxy_of_resource(resource))


def _stored_dataplanes(some: Sequence[StoredResource]) -> list[StoredDataplane]:
    return [stored_dataplane(each) for each in some]


def _resources(some: Sequence[StoredResource]) -> list[Resource[object]]:
    return [resource_of(each) for each in some]


def _legacy_view(found: Sequence[Resource[object]]) -> LegacyView:
    policies = (legacy_policy(each) for each in found)
    return LegacyView(
        tuple(each for each in policies if each is not None),
        {each.name: each.spec for each in found if has_spec(each, TrafficRoute)},
    )


def _policy(stored: StoredResource) -> Policy:
    return policy_of(_meta_of(stored), spec_document(stored))


def _destination(stored: StoredResource) -> Destination:
    # A Mesh stands for all of its services, whatever its spec says.
    spec = {} if stored.key.type == MESH else spec_document(stored)
    return destination_of(_meta_of(stored), spec)


def matched_proxy(stored: StoredResource) -> Proxy:
    """A Dataplane as policies are matched to it, which takes less than all of its fields."""
    return proxy_of(_meta_of(stored), spec_document(stored))


def _gateways(found: Iterable[StoredResource]) -> Iterator[rule_proxies.MeshGateway]:
    return (gateway_of(resource_as(MeshGateway, each)) for each in found)


def _meta_of(stored: StoredResource) -> Meta:
    return Meta(stored.key.type, stored.key.mesh, stored.key.name, stored.labels)
