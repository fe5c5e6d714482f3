"""What proxies of a mesh know of other meshes: gateways that they may call, and who is trusted.

Nothing is known of other meshes while no gateway of any mesh is for others.

Source: docs/wire/gateways.md#across-meshes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MtlsMode
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.cross_mesh.gateway_listeners import GATEWAY, gateway_instances
from kong_mesh_cp.core.xds.services.instances import Endpoint
from kong_mesh_cp.core.xds.services.service_endpoints import EGRESS, INGRESS
from kong_mesh_cp.core.xds.sorted_map import SortedMap
from kong_mesh_cp.core.xds.zones.across_zones import gateways_across_zones

MESH: Final = "Mesh"
DATAPLANE: Final = "Dataplane"
SEEN_BY_OTHERS: Final = (MESH, DATAPLANE, GATEWAY)
CROSSING: Final = frozenset({MESH, GATEWAY, INGRESS, EGRESS})
"""Types of a mesh itself on which it depends what crosses; beside them gateways' Dataplanes."""

Named = SortedMap[str, Resource[object]]
ByType = Mapping[str, Mapping[str, Resource[object]]]  # then by name
GatewayEndpoints = Mapping[str, tuple[Endpoint, ...]]  # by the service of the gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMesh:
    """Another mesh, as far as it is anybody's business: `mesh` is None while it is not there."""

    mesh: Resource[Mesh] | None = None
    gateways: Named = field(default_factory=Named)  # MeshGateways that are for other meshes
    dataplanes: Named = field(default_factory=Named)  # builtin gateways


OtherMeshes = SortedMap[str, OtherMesh]
"""By name, without the mesh whose proxies are meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossMesh:
    """What follows from other meshes for the proxies of one.

    Each part stays the same object until it says something else.
    """

    # Gateways by their mesh, of the own mesh as well; only of meshes that have some for others.
    gateways: Mapping[str, GatewayEndpoints] = field(default_factory=dict)
    # How other meshes with mTLS speak; none while no gateway is for other meshes.
    modes: Mapping[str, MtlsMode] = field(default_factory=dict)
    # Whom the own proxies have to know: by name, sorted.
    trusted: tuple[str, ...] = ()


NOTHING_CROSSES: Final = CrossMesh()
NO_OTHERS: Final = OtherMeshes()


def is_foreign(key: ResourceKey, mesh: str) -> bool:
    """It is of another mesh than `mesh`."""
    return key.name != mesh if key.type == MESH else key.mesh not in ("", mesh)


def other_meshes(resources: Iterable[Resource[object]]) -> OtherMeshes:
    """From scratch, of resources of other meshes; types that are not their business are none."""
    found = NO_OTHERS
    for each in resources:
        if each.type in SEEN_BY_OTHERS:
            found = next_other_meshes(found, {each.key: each})
    return found


def next_other_meshes(
    before: OtherMeshes, changes: Mapping[ResourceKey, Resource[object] | None]
) -> OtherMeshes:
    """`before` after `changes` of resources of other meshes; None: it is gone."""
    found = before
    for key, item in changes.items():
        name = key.name if key.type == MESH else key.mesh
        other = _changed(found.get(name, OtherMesh()), key, item)
        if other.mesh is None and not other.gateways and not other.dataplanes:
            found = found.without(name)
        else:
            found = found.with_item(name, other)
    return found


def _changed(other: OtherMesh, key: ResourceKey, item: Resource[object] | None) -> OtherMesh:
    if key.type == MESH:
        mesh = item if item is not None and has_spec(item, Mesh) else None
        return replace(other, mesh=mesh)
    if key.type == GATEWAY:
        is_for_others = item is not None and has_spec(item, MeshGateway) and item.spec.is_cross_mesh
        kept = item if is_for_others else None
        return replace(other, gateways=_with(other.gateways, key.name, kept))
    is_gateway = item is not None and has_spec(item, Dataplane) and item.spec.is_builtin_gateway
    kept = item if is_gateway else None
    return replace(other, dataplanes=_with(other.dataplanes, key.name, kept))


def _with(named: Named, name: str, item: Resource[object] | None) -> Named:
    return named.without(name) if item is None else named.with_item(name, item)


def cross_mesh(
    mesh: Resource[Mesh],
    zone: str,
    resources: ByType,
    others: OtherMeshes,
    dataplanes: Iterable[Resource[object]],
    *,
    before: CrossMesh = NOTHING_CROSSES,
) -> CrossMesh:
    """What there is for the proxies of `mesh` in `zone`. `resources` are its own, by type, and the
    zone proxies; `dataplanes` are its builtin gateways, or more. What is as `before` is the same
    object.
    """
    own = {name: each for name, each in resources.get(GATEWAY, {}).items() if _is_crossed(each)}
    if not own and not any(each.gateways for each in others.values()):
        return NOTHING_CROSSES
    gateways: dict[str, GatewayEndpoints] = {}
    if own:
        # Among all of the own mesh: another one may be who serves a proxy.
        local = gateway_instances(resources.get(GATEWAY, {}).values(), dataplanes)
        gateways[mesh.name] = _everywhere(mesh, mesh.name, zone, resources, local)
    for name, other in others.items():
        if other.mesh is not None and other.gateways:
            local = gateway_instances(other.gateways.values(), other.dataplanes.values())
            gateways[name] = _everywhere(mesh, name, zone, resources, local)
    modes = {
        name: backend.mode
        for name, other in others.items()
        if other.mesh is not None and (backend := other.mesh.spec.enabled_ca) is not None
    }
    # Gateways for other meshes know whoever may call. Clients know whomever their outbounds may
    # name: also a mesh whose gateways are for nobody else, to which there is no way.
    trusted = tuple(modes)
    return CrossMesh(
        gateways=before.gateways if before.gateways == gateways else gateways,
        modes=before.modes if before.modes == modes else modes,
        trusted=trusted if mesh.spec.enabled_ca is not None else (),
    )


def meshes_with_gateways(own: str, resources: ByType, others: OtherMeshes) -> frozenset[str]:
    """Those of which some gateway is for other meshes; `resources` are of the mesh `own`."""
    found = {name for name, other in others.items() if other.gateways}
    if any(_is_crossed(each) for each in resources.get(GATEWAY, {}).values()):
        found.add(own)
    return frozenset(found)


def _is_crossed(resource: Resource[object]) -> bool:
    return has_spec(resource, MeshGateway) and resource.spec.is_cross_mesh


def _everywhere(
    mesh: Resource[Mesh],
    other: str,
    zone: str,
    resources: ByType,
    local: Iterable[tuple[str, Endpoint]],
) -> GatewayEndpoints:
    """The gateways of `other` in all zones: those behind ingresses, then the `local` ones."""
    across = gateways_across_zones(mesh, other, zone, resources)
    found = {service: [*endpoints] for service, endpoints in across.endpoints.items()}
    for service, endpoint in local:
        found.setdefault(service, []).append(endpoint._replace(weight=across.weight))
    return {service: tuple(endpoints) for service, endpoints in sorted(found.items())}
