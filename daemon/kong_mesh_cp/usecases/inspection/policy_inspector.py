"""What policies come to: the rules of one proxy, and the proxies of one policy (8.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.meshes.hostnames import hostnames
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import MeshView, selects_proxy
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
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
from kong_mesh_cp.usecases.following.mesh_context import MeshContext
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.inspection.inspected_types import NO_POLICY
from kong_mesh_cp.usecases.inspection.mesh_reading import (
    DATAPLANE,
    VIEWED,
    MeshReading,
    StoredDataplane,
    stored_dataplane,
)
from kong_mesh_cp.usecases.ports.resource_store import Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    members,
    resource_of,
    spec_as,
)
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery, page_of
from kong_mesh_cp.usecases.resources.reader import MESH, ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import not_found

ANY_VALUE: Final = "*"

_Selects = Callable[[StoredDataplane], bool]


class PolicyInspector:
    """Answers from one moment of a mesh. Errors as those of `ResourceReader`."""

    def __init__(self, replica: Replica, reading: ResourceReader) -> None:
        self._store = replica.store
        self._reading = reading
        self._meshes = MeshReading(replica, reading)

    async def require_dataplane(self, user: User, mesh: str, name: str) -> StoredResource:
        title = "Could not retrieve Dataplane"
        return await self._reading.stored(user, TYPES["Dataplane"], mesh, name, title=title)

    async def dataplane_rules(self, user: User, mesh: str, name: str) -> JsonDocument:
        stored = await self.require_dataplane(user, mesh, name)
        return await self._rules(user, stored_dataplane(stored).proxy, mesh)

    async def gateway_rules(self, user: User, mesh: str, name: str) -> JsonDocument:
        """What a proxy that serves the gateway gets; nothing while it selects none."""
        stored = await self._reading.stored(
            user, TYPES["MeshGateway"], mesh, name, title="Could not retrieve MeshGateway"
        )
        resource = resource_of(stored)
        assert isinstance(resource.spec, MeshGateway)  # noqa: S101 -- so is its type
        proxy = proxy_of_gateway(gateway_of(resource, resource.spec))
        if proxy is None:
            return {"httpMatches": [], "resource": _meta(resource), "rules": []}
        return await self._rules(user, proxy, mesh)

    async def dataplanes(
        self, user: User, resource_type: ResourceType, mesh: str, name: str, query: ListQuery
    ) -> Listing[JsonDocument]:
        """The data plane proxies that a policy, a gateway or a service is about."""
        stored = await self._reading.stored(user, resource_type, mesh, name, title=NO_POLICY)
        async with self._reading.mesh_scan_slot:
            deciding = VIEWED if resource_type.name in TRAITS else ()
            context = await self._meshes.context(mesh, DATAPLANE, *deciding)
            selects = await self._selects(user, stored, context)
            selected = [
                _meta(each.resource)
                async for each in self._meshes.dataplanes(context)
                if query.name in each.resource.name and selects(each)
            ]
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

    async def _selects(self, user: User, stored: StoredResource, context: MeshContext) -> _Selects:
        """Raises: ResourceRefusedError for a policy that is gone by the moment of `context`."""
        type_name, _, name = stored.key
        if type_name in TRAITS:
            view = await self._meshes.view(user, context)
            for policy in view.of_type(type_name):
                if policy.meta.name == name:
                    return lambda dataplane: _policy_selects(policy, dataplane.proxy, view)
            raise not_found(NO_POLICY)
        spec = resource_of(stored).spec
        if isinstance(spec, MeshService):
            return _service_selector(spec)
        selectors = _legacy_selectors(members(stored))
        return lambda dataplane: any(
            _has(tags, each) for tags in dataplane.spec.tag_sets for each in selectors
        )

    async def _rules(self, user: User, proxy: Proxy, mesh: str) -> JsonDocument:
        context = await self._meshes.context(mesh, *VIEWED)
        view = await self._meshes.view(user, context)
        (mesh_resource,) = context.of_type(MESH)
        by_tag = not _is_exclusive(spec_as(Mesh, mesh_resource))
        return await self._meshes.in_worker_thread(
            partial(rules_view, proxy, view, services_by_tag=by_tag)
        )


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
        return lambda dataplane: dataplane.resource.name == reference.name
    if not tags:
        return lambda _: False
    return lambda dataplane: any(_has(each, tags) for each in _inbound_tags(dataplane.spec))


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


def _meta(resource: Resource) -> JsonDocument:
    return {
        "labels": dict(sorted(resource.labels.items())),
        "mesh": resource.mesh,
        "name": resource.name,
        "type": resource.type,
    }
