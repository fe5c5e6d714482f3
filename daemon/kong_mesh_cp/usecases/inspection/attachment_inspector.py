"""What the older paths of inspection show: policies by proxy, and proxies by policy.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.access import AccessRules, ReadResource, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.policy.legacy.attachments import DATAPLANE as WHOLE_PROXY
from kong_mesh_cp.core.policy.legacy.attachments import (
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
from kong_mesh_cp.core.policy.legacy.selectors import selector_rank
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import MeshView, matched_policies, selects_proxy
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.proxies import Proxy, served_gateway
from kong_mesh_cp.core.policy.views import attachment_views as views
from kong_mesh_cp.core.policy.views.rule_attachments import rule_attachments
from kong_mesh_cp.core.resources.kinds.dataplane import Outbound
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import MeshGatewayRoute
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.following.mesh_context import MeshContext
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.inspection.inspected_types import GATEWAY, GATEWAY_ROUTE, LEGACY
from kong_mesh_cp.usecases.inspection.mesh_reading import (
    DATAPLANE,
    TRAFFIC_ROUTE,
    VIEWED,
    MeshReading,
    StoredDataplane,
    stored_dataplane,
)
from kong_mesh_cp.usecases.resources.documents import JsonDocument, shown_meta, spec_as
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.sweeping import SLICE_ITEMS

_MATCHED = "Could not get MatchedPolicies"
_Affected = Callable[[StoredDataplane], JsonDocument | None]


@dataclass(frozen=True, slots=True)
class _Gateways:
    """What decides about the built-in gateways of a mesh."""

    view: MeshView
    specs: Mapping[str, MeshGateway]
    routes: Mapping[str, MeshGatewayRoute]
    legacy: LegacyView

    def of(self, dataplane: StoredDataplane) -> tuple[Meta | None, GatewayAttachments]:
        """The MeshGateway that a proxy serves, and what is attached to it."""
        served = served_gateway(dataplane.proxy, self.view.gateways)
        gateway = self.specs.get(served.meta.name) if served else None
        meta = served.meta if served else None
        return meta, gateway_attachments(dataplane.spec, gateway, self.routes, self.legacy)


def _rules_of(proxy: Proxy, outbounds: Sequence[Outbound], view: MeshView) -> JsonDocument:
    matched = [matched_policies(each, proxy, view) for each in TRAITS]
    return views.rules_items(rule_attachments(proxy, outbounds, matched))


class AttachmentInspector:
    """Answers from one moment of a mesh. Errors as those of `ResourceReader`."""

    def __init__(self, replica: Replica, reading: ResourceReader, access: AccessRules) -> None:
        self._reading = reading
        self._meshes = MeshReading(replica, reading)
        self._access = access

    async def policies_of_dataplane(self, user: User, mesh: str, name: str) -> JsonDocument:
        dataplane = await self._dataplane(user, mesh, name)
        context = await self._meshes.context(mesh, *VIEWED, *LEGACY, GATEWAY_ROUTE)
        view = await self._meshes.view(user, context)
        legacy = await self._meshes.legacy(context, LEGACY)
        spec = dataplane.spec
        if spec.is_builtin_gateway:
            gateways = await self._gateways(context, view, legacy)
            meta, found = await self._meshes.in_worker_thread(partial(gateways.of, dataplane))
            return views.gateway_view(meta, found, self._shown(context, found.names()))
        attached = await self._meshes.in_worker_thread(
            partial(attachments, dataplane.proxy, spec, view, legacy)
        )
        names = {each for names in attached.values() for each in names}
        return views.sidecar_view(attached, self._shown(context, names))

    async def rules_of_dataplane(self, user: User, mesh: str, name: str) -> JsonDocument:
        dataplane = await self._dataplane(user, mesh, name)
        view = await self._meshes.view(user, await self._meshes.context(mesh, *VIEWED))
        networking = dataplane.spec.networking
        outbounds = networking.outbound if networking else ()
        return await self._meshes.in_worker_thread(
            partial(_rules_of, dataplane.proxy, outbounds, view)
        )

    async def dataplanes_of_policy(
        self, user: User, row: ResourceType, mesh: str, name: str
    ) -> JsonDocument:
        """The proxies that a policy of one of ATTACHED affects. One that is not there: none."""
        await self._require(user, mesh, row.name)
        policy = PolicyName(row.name, name)
        async with self._reading.mesh_scan_slot:
            if row.is_target_ref_policy:
                context = await self._meshes.context(mesh, DATAPLANE, *VIEWED)
                affected = await self._selected(user, context, policy)
            else:
                legacy = dict.fromkeys((row.name, TRAFFIC_ROUTE))
                context = await self._meshes.context(
                    mesh, DATAPLANE, *VIEWED, GATEWAY_ROUTE, *legacy
                )
                affected = await self._attached(user, context, policy)
            return await self._listed(context, affected)

    async def dataplanes_of_gateway(self, user: User, mesh: str, name: str) -> JsonDocument:
        stored = await self._reading.stored(
            user, TYPES[GATEWAY], mesh, name, title="Could not find MeshGateway"
        )
        selectors = [each.match for each in spec_as(MeshGateway, stored).selectors]

        def affected(dataplane: StoredDataplane) -> JsonDocument | None:
            spec = dataplane.spec
            selected = not selectors or selector_rank(selectors, spec.tag_sets) is not None
            if not (spec.is_builtin_gateway and selected):
                return None
            return views.affected_proxy(dataplane.proxy.meta)

        async with self._reading.mesh_scan_slot:
            return await self._listed(await self._meshes.context(mesh, DATAPLANE), affected)

    async def dataplanes_of_route(self, user: User, mesh: str, name: str) -> JsonDocument:
        """The built-in gateways that a MeshGatewayRoute sends something on from."""
        await self._reading.stored(
            user, TYPES[GATEWAY_ROUTE], mesh, name, title="Could not find MeshGatewayRoute"
        )
        async with self._reading.mesh_scan_slot:
            context = await self._meshes.context(mesh, DATAPLANE, *VIEWED, GATEWAY_ROUTE)
            view = await self._meshes.view(user, context)
            gateways = await self._gateways(context, view, LegacyView())

            def affected(dataplane: StoredDataplane) -> JsonDocument | None:
                if not dataplane.spec.is_builtin_gateway:
                    return None
                if name not in gateways.of(dataplane)[1].routes():
                    return None
                return views.affected_proxy(dataplane.proxy.meta)

            return await self._listed(context, affected)

    async def _dataplane(self, user: User, mesh: str, name: str) -> StoredDataplane:
        return stored_dataplane(
            await self._reading.stored(user, TYPES[DATAPLANE], mesh, name, title=_MATCHED)
        )

    async def _require(self, user: User, mesh: str, type_name: str) -> None:
        await self._reading.require_mesh(mesh)
        require(self._access, user, ReadResource(type_name))

    async def _selected(self, user: User, context: MeshContext, name: PolicyName) -> _Affected:
        view = await self._meshes.view(user, context)
        named = [each for each in view.of_type(name.type) if each.meta.name == name.name]

        def affected(dataplane: StoredDataplane) -> JsonDocument | None:
            try:
                selected = any(
                    selects_proxy(policy, dataplane.proxy, view)
                    for policy in named
                    if not policy.meta.is_shadow
                )
            except UnresolvedTargetError:
                selected = False  # what it points at is not there
            # What gateways get of these is shown by `_rules`.
            if not selected or dataplane.spec.is_builtin_gateway:
                return None
            return views.affected_sidecar(dataplane.proxy.meta, [Attachment(WHOLE_PROXY)])

        return affected

    async def _attached(self, user: User, context: MeshContext, name: PolicyName) -> _Affected:
        types = tuple(dict.fromkeys((name.type, TRAFFIC_ROUTE)))
        legacy = await self._meshes.legacy(context, types)
        view = await self._meshes.view(user, context)
        gateways = await self._gateways(context, view, legacy)

        def affected(dataplane: StoredDataplane) -> JsonDocument | None:
            meta = dataplane.proxy.meta
            if dataplane.spec.is_builtin_gateway:
                gateway, found = gateways.of(dataplane)
                part = attached_to_gateway(found, name)
                return None if part is None else views.affected_gateway(meta, gateway, part)
            attached = legacy_attachments(dataplane.spec, legacy)
            places = sorted(place for place, names in attached.items() if name in names)
            return views.affected_sidecar(meta, places) if places else None

        return affected

    async def _listed(self, context: MeshContext, affected: _Affected) -> JsonDocument:
        """Those of all proxies of a mesh that are affected; in slices, for there may be many.

        In a thread: each proxy is held against all selectors of all policies of a type.
        """
        items: list[JsonDocument] = []
        some: list[StoredDataplane] = []

        def shown() -> list[JsonDocument]:
            found = []
            for each in some:
                trio.from_thread.check_cancelled()  # one can take a while, too
                found.append(affected(each))
            return [each for each in found if each is not None]

        async for dataplane in self._meshes.dataplanes(context):
            some.append(dataplane)
            if len(some) == SLICE_ITEMS:
                items += await self._meshes.in_worker_thread(shown)
                some.clear()
        items += await self._meshes.in_worker_thread(shown)
        return {"total": len(items), "items": items}

    async def _gateways(
        self, context: MeshContext, view: MeshView, legacy: LegacyView
    ) -> _Gateways:
        found = await self._meshes.resources(context, (GATEWAY, GATEWAY_ROUTE))
        return _Gateways(
            view,
            {each.name: each.spec for each in found if isinstance(each.spec, MeshGateway)},
            {each.name: each.spec for each in found if isinstance(each.spec, MeshGatewayRoute)},
            legacy,
        )

    def _shown(self, context: MeshContext, names: Iterable[PolicyName]) -> views.Shown:
        wanted = set(names)
        return {
            name: shown_meta(each, each.key.type)
            for type_name in {each.type for each in wanted}
            for each in context.of_type(type_name)
            if (name := PolicyName(type_name, each.key.name)) in wanted
        }
