"""What the older paths of inspection show: policies by proxy, and proxies by policy (8.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from kong_mesh_cp.core.identity.access import AccessRules, ReadResource, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.policy.legacy.attachments import (
    DATAPLANE,
    Attachment,
    LegacyView,
    PolicyName,
    attachments,
    legacy_attachments,
)
from kong_mesh_cp.core.policy.legacy.gateway_attachments import (
    GatewayAttachments,
    attached_to_gateway,
    gateway_attachments,
)
from kong_mesh_cp.core.policy.legacy.selectors import legacy_policy, selector_rank
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import MeshView, matched_policies, selects_proxy
from kong_mesh_cp.core.policy.rules.mesh_resources import meta_of, proxy_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.proxies import Proxy, served_gateway
from kong_mesh_cp.core.policy.views import attachment_views as views
from kong_mesh_cp.core.policy.views.rule_attachments import rule_attachments
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Outbound
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import MeshGatewayRoute
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.inspection.inspected_types import GATEWAY, GATEWAY_ROUTE, LEGACY
from kong_mesh_cp.usecases.inspection.policy_inspector import PolicyInspector
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    resource_of,
    shown_meta,
    spec_as,
)
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.sweeping import SLICE_ITEMS, sweep

_MATCHED = "Could not get MatchedPolicies"
_Affected = Callable[[Resource, Dataplane], JsonDocument | None]


@dataclass(frozen=True, slots=True)
class _Gateways:
    """What decides about the built-in gateways of a mesh."""

    view: MeshView
    specs: Mapping[str, MeshGateway]
    routes: Mapping[str, MeshGatewayRoute]
    legacy: LegacyView

    def of(self, proxy: Resource, spec: Dataplane) -> tuple[Meta | None, GatewayAttachments]:
        """The MeshGateway that a proxy serves, and what is attached to it."""
        served = served_gateway(proxy_of(proxy, spec), self.view.gateways)
        gateway = self.specs.get(served.meta.name) if served else None
        meta = served.meta if served else None
        return meta, gateway_attachments(spec, gateway, self.routes, self.legacy)


def _rules_of(proxy: Proxy, outbounds: Sequence[Outbound], view: MeshView) -> JsonDocument:
    matched = [matched_policies(each, proxy, view) for each in TRAITS]
    return views.rules_items(rule_attachments(proxy, outbounds, matched))


class AttachmentInspector:
    """Answers from one reading of a mesh. Errors as those of `Reading`."""

    def __init__(
        self,
        store: ResourceStore,
        reading: ResourceReader,
        inspecting: PolicyInspector,
        access: AccessRules,
    ) -> None:
        self._store = store
        self._reading = reading
        self._inspecting = inspecting
        self._access = access

    async def policies_of_dataplane(self, user: User, mesh: str, name: str) -> JsonDocument:
        resource, spec = await self._dataplane(user, mesh, name)
        view = await self._inspecting.view(user, mesh)
        legacy = await self._legacy(mesh, LEGACY)
        if spec.is_builtin_gateway:
            gateways = await self._gateways(mesh, view, legacy)
            meta, found = await self._inspecting.in_worker_thread(
                partial(gateways.of, resource, spec)
            )
            return views.gateway_view(meta, found, await self._shown(mesh, found.names()))
        proxy = proxy_of(resource, spec)
        attached = await self._inspecting.in_worker_thread(
            partial(attachments, proxy, spec, view, legacy)
        )
        names = {each for names in attached.values() for each in names}
        return views.sidecar_view(attached, await self._shown(mesh, names))

    async def rules_of_dataplane(self, user: User, mesh: str, name: str) -> JsonDocument:
        resource, spec = await self._dataplane(user, mesh, name)
        view = await self._inspecting.view(user, mesh)
        proxy = proxy_of(resource, spec)
        outbounds = spec.networking.outbound if spec.networking else ()
        return await self._inspecting.in_worker_thread(partial(_rules_of, proxy, outbounds, view))

    async def dataplanes_of_policy(
        self, user: User, row: ResourceType, mesh: str, name: str
    ) -> JsonDocument:
        """The proxies that a policy of one of ATTACHED affects. One that is not there: none."""
        await self._require(user, mesh, row.name)
        policy = PolicyName(row.name, name)
        affected = await (
            self._selected(user, mesh, policy)
            if row.is_target_ref_policy
            else self._attached(user, mesh, policy)
        )
        return await self._listed(mesh, affected)

    async def dataplanes_of_gateway(self, user: User, mesh: str, name: str) -> JsonDocument:
        stored = await self._reading.stored(
            user, TYPES[GATEWAY], mesh, name, title="Could not find MeshGateway"
        )
        selectors = [each.match for each in spec_as(MeshGateway, stored).selectors]

        def affected(proxy: Resource, spec: Dataplane) -> JsonDocument | None:
            selected = not selectors or selector_rank(selectors, spec.tag_sets) is not None
            if not (spec.is_builtin_gateway and selected):
                return None
            return views.affected_proxy(meta_of(proxy))

        return await self._listed(mesh, affected)

    async def dataplanes_of_route(self, user: User, mesh: str, name: str) -> JsonDocument:
        """The built-in gateways that a MeshGatewayRoute sends something on from."""
        await self._reading.stored(
            user, TYPES[GATEWAY_ROUTE], mesh, name, title="Could not find MeshGatewayRoute"
        )
        view = await self._inspecting.view(user, mesh)
        gateways = await self._gateways(mesh, view, LegacyView())

        def affected(proxy: Resource, spec: Dataplane) -> JsonDocument | None:
            if not spec.is_builtin_gateway or name not in gateways.of(proxy, spec)[1].routes():
                return None
            return views.affected_proxy(meta_of(proxy))

        return await self._listed(mesh, affected)

    async def _dataplane(self, user: User, mesh: str, name: str) -> tuple[Resource, Dataplane]:
        stored = await self._reading.stored(user, TYPES["Dataplane"], mesh, name, title=_MATCHED)
        return resource_of(stored), spec_as(Dataplane, stored)

    async def _require(self, user: User, mesh: str, type_name: str) -> None:
        await self._reading.require_mesh(mesh)
        require(self._access, user, ReadResource(type_name))

    async def _selected(self, user: User, mesh: str, name: PolicyName) -> _Affected:
        view = await self._inspecting.view(user, mesh)
        named = [each for each in view.policies if (each.meta.type, each.meta.name) == name]

        def affected(proxy: Resource, spec: Dataplane) -> JsonDocument | None:
            matching = proxy_of(proxy, spec)
            try:
                selected = any(
                    selects_proxy(policy, matching, view)
                    for policy in named
                    if not policy.meta.is_shadow
                )
            except UnresolvedTargetError:
                selected = False  # what it points at is not there
            # What gateways get of these is shown by `_rules`.
            if not selected or spec.is_builtin_gateway:
                return None
            return views.affected_sidecar(meta_of(proxy), [Attachment(DATAPLANE)])

        return affected

    async def _attached(self, user: User, mesh: str, name: PolicyName) -> _Affected:
        legacy = await self._legacy(mesh, {name.type, "TrafficRoute"})
        view = await self._inspecting.view(user, mesh)
        gateways = await self._gateways(mesh, view, legacy)

        def affected(proxy: Resource, spec: Dataplane) -> JsonDocument | None:
            if spec.is_builtin_gateway:
                gateway, found = gateways.of(proxy, spec)
                part = attached_to_gateway(found, name)
                if part is None:
                    return None
                return views.affected_gateway(meta_of(proxy), gateway, part)
            attached = legacy_attachments(spec, legacy)
            places = sorted(place for place, names in attached.items() if name in names)
            return views.affected_sidecar(meta_of(proxy), places) if places else None

        return affected

    async def _listed(self, mesh: str, affected: _Affected) -> JsonDocument:
        """Those of all proxies of a mesh that are affected; in slices, for there may be many.

        In a thread: each proxy is held against all selectors of all policies of a type. Nobody
        else waits for more than a slice.
        """
        items: list[JsonDocument] = []
        some: list[StoredResource] = []

        def shown() -> list[JsonDocument]:
            found = []
            for proxy in map(resource_of, some):
                trio.from_thread.check_cancelled()  # one can take a while, too
                if isinstance(proxy.spec, Dataplane):
                    found.append(affected(proxy, proxy.spec))
            return [each for each in found if each is not None]

        async def look() -> None:
            async with self._reading.mesh_scan_slot:
                items.extend(await self._inspecting.in_worker_thread(shown))
            some.clear()

        async for stored in sweep(self._store, Selection(type="Dataplane", mesh=mesh)):
            some.append(stored)
            if len(some) == SLICE_ITEMS:
                await look()
        await look()
        return {"total": len(items), "items": items}

    async def _legacy(self, mesh: str, types: Iterable[str]) -> LegacyView:
        stored = [
            each
            for type_name in types
            async for each in sweep(self._store, Selection(type=type_name, mesh=mesh))
        ]

        def view() -> LegacyView:
            found = [resource_of(each) for each in stored]
            policies = (legacy_policy(each) for each in found)
            return LegacyView(
                tuple(each for each in policies if each is not None),
                {each.name: each.spec for each in found if isinstance(each.spec, TrafficRoute)},
            )

        return await self._inspecting.in_worker_thread(view)

    async def _gateways(self, mesh: str, view: MeshView, legacy: LegacyView) -> _Gateways:
        found = [each async for each in self._resources(mesh, (GATEWAY, GATEWAY_ROUTE))]
        return _Gateways(
            view,
            {each.name: each.spec for each in found if isinstance(each.spec, MeshGateway)},
            {each.name: each.spec for each in found if isinstance(each.spec, MeshGatewayRoute)},
            legacy,
        )

    async def _resources(self, mesh: str, types: Iterable[str]) -> AsyncIterator[Resource]:
        for type_name in types:
            async for stored in sweep(self._store, Selection(type=type_name, mesh=mesh)):
                yield resource_of(stored)

    async def _shown(self, mesh: str, names: Iterable[PolicyName]) -> views.Shown:
        keys = {ResourceKey(each.type, mesh, each.name): each for each in names}
        found = await self._store.get_many(keys)
        return {keys[key]: shown_meta(found[key], key.type) for key in found}
