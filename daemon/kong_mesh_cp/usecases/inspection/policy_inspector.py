"""What policies come to: the rules of one proxy, and the proxies of one policy (8.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import trio

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.meshes.hostnames import hostnames
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import MeshView, selects_proxy
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of, mesh_view, proxy_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.views.rules_view import proxy_of_gateway, rules_view
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MeshServicesMode
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.services.hostname_generator import HostnameGenerator
from kong_mesh_cp.core.resources.kinds.services.mesh_service import MeshService
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.inspection.inspected_types import NO_POLICY
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    document_of,
    members,
    resource_of,
    spec_as,
)
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery, page_of
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.sweeping import in_slices

_VIEWED: Final = (
    *TRAITS,
    "MeshExternalService",
    "MeshGateway",
    "MeshMultiZoneService",
    "MeshService",
)
ANY_VALUE: Final = "*"

T = TypeVar("T")

_Selects = Callable[[Resource, Dataplane], bool]


class PolicyInspector:
    """Answers from one reading of a mesh. Errors as those of `Reading`."""

    def __init__(self, store: ResourceStore, reading: ResourceReader) -> None:
        self._store = store
        self._reading = reading
        self._judges = trio.CapacityLimiter(1)

    async def require_dataplane(self, user: User, mesh: str, name: str) -> StoredResource:
        title = "Could not retrieve Dataplane"
        return await self._reading.stored(user, TYPES["Dataplane"], mesh, name, title=title)

    async def dataplane_rules(self, user: User, mesh: str, name: str) -> JsonDocument:
        stored = await self.require_dataplane(user, mesh, name)
        proxy = proxy_of(resource_of(stored), spec_as(Dataplane, stored))
        return await self._rules(user, proxy, mesh)

    async def gateway_rules(self, user: User, mesh: str, name: str) -> JsonDocument:
        """What a proxy that serves the gateway gets; nothing while it selects none."""
        stored = await self._reading.stored(
            user, TYPES["MeshGateway"], mesh, name, title="Could not retrieve MeshGateway"
        )
        gateway = gateway_of(resource_of(stored), spec_as(MeshGateway, stored))
        proxy = proxy_of_gateway(gateway)
        if proxy is None:
            return {"httpMatches": [], "resource": _meta(stored), "rules": []}
        return await self._rules(user, proxy, mesh)

    async def dataplanes(
        self, user: User, resource_type: ResourceType, mesh: str, name: str, query: ListQuery
    ) -> Listing[JsonDocument]:
        """The data plane proxies that a policy, a gateway or a service is about."""
        stored = await self._reading.stored(user, resource_type, mesh, name, title=NO_POLICY)
        selects = await self._selects(user, resource_of(stored), stored)
        dataplanes = Selection(type="Dataplane", mesh=mesh, name_contains=query.name)
        selected = []
        async with self._reading.mesh_scan_slot:
            found = await self._store.list(dataplanes)
            async for each in in_slices(found.items):
                resource = resource_of(each)
                if isinstance(resource.spec, Dataplane) and selects(resource, resource.spec):
                    selected.append(_meta(each))
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
            ((resource_of(each), spec_as(HostnameGenerator, each)) for each in generators.items),
        )

    async def _selects(self, user: User, resource: Resource, stored: StoredResource) -> _Selects:
        if resource.type in TRAITS:
            view = await self.view(user, resource.mesh)
            policy = next(
                each
                for each in view.policies
                if (each.meta.type, each.meta.name) == (resource.type, resource.name)
            )
            return lambda proxy, spec: _policy_selects(policy, proxy, spec, view)
        if isinstance(resource.spec, MeshService):
            return _service_selector(resource.spec)
        selectors = _legacy_selectors(members(stored))
        return lambda _, spec: any(_has(tags, each) for tags in spec.tag_sets for each in selectors)

    async def _rules(self, user: User, proxy: Proxy, mesh: str) -> JsonDocument:
        stored = await self._reading.require_mesh(mesh)
        view = await self._view_of(user, stored)
        by_tag = not _is_exclusive(spec_as(Mesh, stored))
        return await self.in_worker_thread(partial(rules_view, proxy, view, services_by_tag=by_tag))

    async def view(self, user: User, mesh: str) -> MeshView:
        """What decides about the proxies of a mesh that exists, as far as `user` may see it."""
        return await self._view_of(user, await self._reading.require_mesh(mesh))

    async def _view_of(self, user: User, mesh: StoredResource) -> MeshView:
        listed = [resource_of(mesh)]
        for viewed in _VIEWED:
            found = await self._store.list(Selection(type=viewed, mesh=mesh.key.name))
            listed += [
                _viewed(await self._reading.visible(user, each))
                async for each in in_slices(found.items)
            ]
        return await self.in_worker_thread(partial(mesh_view, listed, _spec_document))

    async def in_worker_thread(self, judge: Callable[[], T]) -> T:
        """What `judge` says, in a thread: it takes as long as policies have parts.

        One at a time: a thread has its turns from the event loop, and several leave it few.
        """
        return await trio.to_thread.run_sync(judge, limiter=self._judges)


def _viewed(stored: StoredResource) -> Resource:
    """With the JSON of its spec, which is all that is read of it; gateways are read as such."""
    return resource_of(stored) if stored.key.type == "MeshGateway" else document_of(stored)


def _spec_document(resource: Resource) -> Mapping[str, object]:
    return resource.spec if isinstance(resource.spec, dict) else {}


def _is_exclusive(mesh: Mesh) -> bool:
    services = mesh.mesh_services
    return services is not None and services.mode is MeshServicesMode.Exclusive


def _policy_selects(policy: Policy, proxy: Resource, spec: Dataplane, view: MeshView) -> bool:
    try:
        return selects_proxy(policy, proxy_of(proxy, spec), view)
    except UnresolvedTargetError:
        return False  # what it points at is not there, so it selects nothing


def _service_selector(service: MeshService) -> _Selects:
    reference, tags = service.selector.dataplane_ref, service.selector.dataplane_tags
    if reference is not None and reference.name:
        return lambda proxy, _: proxy.name == reference.name
    if not tags:
        return lambda _, __: False
    return lambda _, spec: any(_has(each, tags) for each in _inbound_tags(spec))


def _inbound_tags(spec: Dataplane) -> Iterable[Mapping[str, str]]:
    return () if spec.networking is None else (each.tags for each in spec.networking.inbound)


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
