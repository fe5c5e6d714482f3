"""What policies come to: the rules of one proxy, and the proxies of one policy (8.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

import trio

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.meshes.hostnames import hostnames
from kong_mesh_cp.core.policy.rules import proxies
from kong_mesh_cp.core.policy.rules.destinations import MESH, Destination, Destinations
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import MeshView, selects_proxy
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Meta, Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.specs import destination_of, policy_of, proxy_of
from kong_mesh_cp.core.policy.views.rules_view import proxy_of_gateway, rules_view
from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MeshServicesMode
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.services.hostname_generator import HostnameGenerator
from kong_mesh_cp.core.resources.kinds.services.mesh_service import MeshService
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.inspection.inspected_types import GATEWAY, NO_POLICY
from kong_mesh_cp.usecases.inspection.read_once import ReadOnce
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    members,
    resource_as,
    resource_of,
    spec_as,
    spec_document,
)
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery, page_of
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.sweeping import slices

_SERVICES: Final = ("MeshExternalService", "MeshMultiZoneService", "MeshService")
_VIEWED: Final = (*TRAITS, GATEWAY, *_SERVICES)
ANY_VALUE: Final = "*"

T = TypeVar("T")

_Selects = Callable[[Proxy], bool]


class PolicyInspector:
    """Answers from one reading of a mesh. Errors as those of `Reading`."""

    def __init__(self, store: ResourceStore, reading: ResourceReader) -> None:
        self._store = store
        self._reading = reading
        self._judges = trio.CapacityLimiter(1)
        self._policies = ReadOnce(_policy)
        self._destinations = ReadOnce(_destination)
        self._proxies = ReadOnce(_proxy)

    async def require_dataplane(self, user: User, mesh: str, name: str) -> StoredResource:
        title = "Could not retrieve Dataplane"
        return await self._reading.stored(user, TYPES["Dataplane"], mesh, name, title=title)

    async def dataplane_rules(self, user: User, mesh: str, name: str) -> JsonDocument:
        stored = await self.require_dataplane(user, mesh, name)
        return await self._rules(user, _proxy(stored), mesh)

    async def gateway_rules(self, user: User, mesh: str, name: str) -> JsonDocument:
        """What a proxy that serves the gateway gets; nothing while it selects none."""
        stored = await self._reading.stored(
            user, TYPES["MeshGateway"], mesh, name, title="Could not retrieve MeshGateway"
        )
        gateway = gateway_of(resource_as(MeshGateway, stored))
        proxy = proxy_of_gateway(gateway)
        if proxy is None:
            return {"httpMatches": [], "resource": _meta(stored), "rules": []}
        return await self._rules(user, proxy, mesh)

    async def dataplanes(
        self, user: User, resource_type: ResourceType, mesh: str, name: str, query: ListQuery
    ) -> Listing[JsonDocument]:
        """The data plane proxies that a policy, a gateway or a service is about."""
        stored = await self._reading.stored(user, resource_type, mesh, name, title=NO_POLICY)
        selects = await self._selects(user, stored)
        dataplanes = Selection(type="Dataplane", mesh=mesh, name_contains=query.name)
        async with self._reading.mesh_scan_slot:
            found = await self._store.list(dataplanes)
            passage = self._proxies.passage(mesh)
            selected = [
                _meta(each)
                async for part in slices(found.items)
                for each in part
                if selects(passage.value(each))
            ]
            if not query.name:
                self._proxies.end(passage)
        return page_of(selected, query)

    async def hostnames(
        self, user: User, resource_type: ResourceType, mesh: str, name: str
    ) -> Mapping[str, Sequence[str]]:
        """The zones by host name."""
        stored = await self._reading.stored_anywhere(
            user, resource_type, mesh, name, title="could not retrieve service"
        )
        generators = await self._store.list(Selection(type="HostnameGenerator"))
        return hostnames(
            resource_of(stored),
            (resource_as(HostnameGenerator, each) for each in generators.items),
        )

    async def _selects(self, user: User, stored: StoredResource) -> _Selects:
        if stored.key.type in TRAITS:
            return await self._policy_selector(user, stored)
        if stored.key.type == "MeshService":
            return _service_selector(spec_as(MeshService, stored))
        selectors = _legacy_selectors(members(stored))
        return lambda proxy: any(_has(tags, each) for tags in proxy.tag_sets for each in selectors)

    async def _policy_selector(self, user: User, stored: StoredResource) -> _Selects:
        policy = await self.in_worker_thread(partial(_policy, stored))
        # Of the mesh only what decides about one policy: the gateways, and routes it may mean.
        routes = (HTTP_ROUTE,) if policy.target.kind == HTTP_ROUTE else ()
        found = await self._found(user, stored.key.mesh, (*routes, GATEWAY))

        def view() -> MeshView:
            meant = chain.from_iterable(found[each] for each in routes)
            return MeshView(tuple(map(_policy, meant)), tuple(_gateways(found)))

        deciding = await self.in_worker_thread(view)
        return lambda proxy: _policy_selects(policy, proxy, deciding)

    async def _rules(self, user: User, proxy: Proxy, mesh: str) -> JsonDocument:
        stored = await self._reading.require_mesh(mesh)
        view = await self._view_of(user, stored)
        by_tag = not _is_exclusive(spec_as(Mesh, stored))
        return await self.in_worker_thread(partial(rules_view, proxy, view, services_by_tag=by_tag))

    async def view(self, user: User, mesh: str) -> MeshView:
        """What decides about the proxies of a mesh that exists, as far as `user` may see it."""
        return await self._view_of(user, await self._reading.require_mesh(mesh))

    async def _view_of(self, user: User, mesh: StoredResource) -> MeshView:
        found = await self._found(user, mesh.key.name, _VIEWED)
        return await self.in_worker_thread(partial(self._viewed, mesh, found))

    async def _found(
        self, user: User, mesh: str, types: Iterable[str]
    ) -> Mapping[str, Sequence[StoredResource]]:
        """The resources of these types by type, as `user` may see them."""
        found = {}
        for type_name in types:
            page = await self._store.list(Selection(type=type_name, mesh=mesh))
            found[type_name] = await self._reading.all_visible(user, page.items)
        return found

    def _viewed(
        self, mesh: StoredResource, found: Mapping[str, Sequence[StoredResource]]
    ) -> MeshView:
        name = mesh.key.name
        policies = chain.from_iterable(found[each] for each in TRAITS)
        services = chain.from_iterable(found[each] for each in _SERVICES)
        return MeshView(
            policies=tuple(self._policies.of_mesh(name, policies)),
            gateways=tuple(_gateways(found)),
            destinations=Destinations(self._destinations.of_mesh(name, chain((mesh,), services))),
        )

    async def in_worker_thread(self, judge: Callable[[], T]) -> T:
        """What `judge` says, in a thread: it takes as long as policies have parts.

        One at a time: a thread has its turns from the event loop, and several leave it few.
        """
        return await trio.to_thread.run_sync(judge, limiter=self._judges)


def _policy(stored: StoredResource) -> Policy:
    return policy_of(_meta_of(stored), spec_document(stored))


def _destination(stored: StoredResource) -> Destination:
    # A Mesh stands for all of its services, whatever its spec says.
    spec = {} if stored.key.type == MESH else spec_document(stored)
    return destination_of(_meta_of(stored), spec)


def _proxy(stored: StoredResource) -> Proxy:
    return proxy_of(_meta_of(stored), spec_document(stored))


def _gateways(found: Mapping[str, Sequence[StoredResource]]) -> Iterator[proxies.MeshGateway]:
    return (gateway_of(resource_as(MeshGateway, each)) for each in found[GATEWAY])


def _meta_of(stored: StoredResource) -> Meta:
    return Meta(stored.key.type, stored.key.mesh, stored.key.name, stored.labels)


def _is_exclusive(mesh: Mesh) -> bool:
    services = mesh.mesh_services
    return services is not None and services.mode is MeshServicesMode.Exclusive


def _policy_selects(policy: Policy, proxy: Proxy, view: MeshView) -> bool:
    try:
        return selects_proxy(policy, proxy, view)
    except UnresolvedTargetError:
        return False  # what it points at is not there, so it selects nothing


def _service_selector(service: MeshService) -> _Selects:
    reference, tags = service.selector.dataplane_ref, service.selector.dataplane_tags
    if reference is not None and reference.name:
        return lambda proxy: proxy.meta.name == reference.name
    if not tags:
        return lambda _: False
    return lambda proxy: any(_has(each.tags, tags) for each in proxy.inbounds)


def _legacy_selectors(document: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Whom a policy with selectors of tags is about: of a connection, both its ends."""
    return [
        each.get("match", {})
        for member in ("selectors", "sources", "destinations")
        for each in document.get(member, ())
    ]


def _has(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in tags and value in {ANY_VALUE, tags[key]} for key, value in wanted.items())


def _meta(stored: StoredResource) -> JsonDocument:
    key = stored.key
    return {
        "labels": dict(sorted(stored.labels.items())),
        "mesh": key.mesh,
        "name": key.name,
        "type": key.type,
    }
