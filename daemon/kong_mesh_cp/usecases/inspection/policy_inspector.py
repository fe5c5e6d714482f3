"""What policies come to: the rules of one proxy, and the proxies of one policy.

Source: docs/wire/inspection.md#rules-of-a-proxy, docs/wire/inspection.md#proxies-of-a-policy
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.meshes.hostnames import hostnames
from kong_mesh_cp.core.policy.rules.destinations import MESH
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import MeshView, selects_proxy
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.views.rules_view import proxy_of_gateway, rules_view
from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MeshServicesMode
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.services.hostname_generator import HostnameGenerator
from kong_mesh_cp.core.resources.kinds.services.mesh_service import MeshService
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.following.mesh_context import MeshContext
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.inspection.inspected_types import GATEWAY, NO_POLICY
from kong_mesh_cp.usecases.inspection.mesh_reading import (
    DATAPLANE,
    VIEWED,
    MeshReading,
    matched_proxy,
)
from kong_mesh_cp.usecases.ports.resource_store import Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    members,
    resource_as,
    resource_of,
    spec_as,
)
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery, page_of
from kong_mesh_cp.usecases.resources.reader import ResourceReader

ANY_VALUE: Final = "*"

T = TypeVar("T")

_Selects = Callable[[Proxy], bool]


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
        return await self._rules(user, matched_proxy(stored), mesh)

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
        async with self._reading.mesh_scan_slot:
            deciding = (GATEWAY, HTTP_ROUTE) if resource_type.name in TRAITS else ()
            context = await self._meshes.context(mesh, DATAPLANE, *deciding)
            selects = await self._selects(user, stored, context)
            selected = [
                _meta(each)
                async for each, proxy in self._meshes.proxies(context)
                if query.name in each.key.name and selects(proxy)
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
            (resource_as(HostnameGenerator, each) for each in generators.items),
        )

    async def _selects(self, user: User, stored: StoredResource, context: MeshContext) -> _Selects:
        if stored.key.type in TRAITS:
            policy, view = await self._meshes.view_of_policy(user, context, stored)
            return lambda proxy: _policy_selects(policy, proxy, view)
        if stored.key.type == "MeshService":
            return _service_selector(spec_as(MeshService, stored))
        selectors = _legacy_selectors(members(stored))
        return lambda proxy: any(_has(tags, each) for tags in proxy.tag_sets for each in selectors)

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
