"""What the worlds of meshes are made of, as it is stored, and how it is read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.meshes.virtual_addresses import config_name, mesh_of_config
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.config import Config
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.labels import PROXY_TYPE
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.registry import Policy as PolicyParts
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, Item, WorldRules, indexed_mesh
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import (
    members,
    readable_as,
    resource_of,
    spec_document,
    with_status,
)
from kong_mesh_cp.usecases.resources.reader import MESH
from kong_mesh_cp.usecases.resources.sweeping import read_in_slices

_LEGACY: Final = tuple(each.name for each in TYPES.values() if each.policy is PolicyParts.LEGACY)
OF_A_MESH: Final = (
    "Dataplane",
    "ExternalService",
    "MeshExternalService",
    "MeshGateway",
    "MeshMultiZoneService",
    "MeshService",
    "Secret",
    "ServiceInsight",
    *TRAITS,
    *_LEGACY,
)
OF_ALL_MESHES: Final = ("HostnameGenerator", "ZoneEgress", "ZoneIngress")
CONFIG: Final = "Config"
DATAPLANE: Final = "Dataplane"
GATEWAY: Final = "MeshGateway"
SEEN_BY_OTHERS: Final = (MESH, DATAPLANE, GATEWAY)
CROSS_MESH: Final = "crossMesh"  # without this word a MeshGateway is for nobody else
FOLLOWED: Final = (MESH, CONFIG, *OF_A_MESH, *OF_ALL_MESHES)
"""What decides about what proxies are told."""
GATEWAY_PROXY: Final = "gateway"  # of builtin gateways alone, as `kuma.io/proxy-type` tells

log = logging.getLogger(__name__)


async def stored_of_mesh(store: ResourceStore, mesh: str) -> dict[ResourceKey, StoredResource]:
    """All that decides about the proxies of `mesh`, of one moment. Raises: StateError."""
    pages = await store.list_together(
        [
            Selection(type=MESH, mesh="", name_contains=mesh),
            Selection(type=CONFIG, mesh="", name_contains=config_name(mesh)),
            *(Selection(type=each, mesh=mesh) for each in OF_A_MESH if each != GATEWAY),
            *(Selection(type=each) for each in (GATEWAY, *OF_ALL_MESHES)),
        ]
    )
    everything = [each for page in pages for each in page.items]
    found = {
        each.key: each
        for each in everything
        if mesh_of(each.key) in (mesh, "") or is_for_others(each)
    }
    crossed = crossed_meshes(found.values())
    return found | await _of_others(store, mesh, crossed) if crossed else found


async def _of_others(
    store: ResourceStore, mesh: str, crossed: Collection[str]
) -> dict[ResourceKey, StoredResource]:
    """Other meshes than `mesh`, and the proxies of those gateways that are for all meshes."""
    pages = await store.list_together(
        [
            Selection(type=MESH, mesh=""),
            *(
                Selection(type=DATAPLANE, mesh=each, labels={PROXY_TYPE: GATEWAY_PROXY})
                for each in sorted(crossed)
                if each != mesh
            ),
        ]
    )
    return {each.key: each for page in pages for each in page.items if mesh_of(each.key) != mesh}


def crossed_meshes(stored: Iterable[StoredResource]) -> frozenset[str]:
    """Meshes with gateways for others: while there are some, other meshes are looked at."""
    return frozenset(each.key.mesh for each in stored if is_for_others(each))


def is_for_others(stored: StoredResource) -> bool:
    """A MeshGateway that other meshes may call, whatever else it is for."""
    if stored.key.type != GATEWAY or CROSS_MESH not in stored.spec:
        return False
    gateway = readable_as(MeshGateway, stored)
    return gateway is not None and gateway.is_cross_mesh


def is_seen_by_others(stored: StoredResource) -> bool:
    """Of a mesh with gateways for others, what they look at."""
    key = stored.key
    if key.type == DATAPLANE:
        return stored.labels.get(PROXY_TYPE) == GATEWAY_PROXY
    return key.type == MESH or is_for_others(stored)


async def world_now(store: ResourceStore, mesh: str, rules: WorldRules) -> MeshWorld | None:
    """`mesh` read afresh; None: there is none. Raises: StateError."""
    found = await stored_of_mesh(store, mesh)
    items = await read_items([*found.values()])
    index = from_scratch(items, ResourceKey(MESH, "", mesh), rules)
    return None if index is None else index.world


def mesh_of(key: ResourceKey) -> str | None:
    """The mesh whose world it is a part of."""
    if key.type == CONFIG:
        return mesh_of_config(key.name)
    return key.name if key.type == MESH else key.mesh


def from_scratch(
    items: Mapping[ResourceKey, Item | None], own: ResourceKey, rules: WorldRules
) -> IndexedMesh | None:
    """What `items` come to; None: `own`, the mesh, is not among them."""
    mesh = items.get(own)
    if not isinstance(mesh, Resource) or not has_spec(mesh, Mesh):
        return None
    others = (item for key, item in items.items() if key != own and item is not None)
    return indexed_mesh(mesh, others, rules)


async def read_items(stored: Sequence[StoredResource]) -> dict[ResourceKey, Item]:
    """What generation reads of each; without those that cannot be read, which are logged."""
    found = await read_in_slices(stored, _read_some)
    return {each.key: item for each, item in zip(stored, found, strict=True) if item is not None}


def _read_some(some: Sequence[StoredResource]) -> list[Item | None]:
    return [_item(each) for each in some]


def _item(stored: StoredResource) -> Item | None:
    key = stored.key
    try:
        if key.type in TRAITS:
            meta = Meta(key.type, key.mesh, key.name, stored.labels)
            return policy_of(meta, spec_document(stored))
        if key.type == CONFIG:
            return _config(stored)
        return with_status(stored, resource_of(stored))
    except (ParseError, InvalidResourceError) as error:
        log.error(
            "xds-resource-not-read: %s %s of mesh %s is as if it were not there for proxies: %s."
            " Write it anew.",
            key.type,
            go_quote(key.name),
            go_quote(key.mesh),
            go_quote(str(error)),
        )
        return None


def _config(stored: StoredResource) -> Resource[object]:
    """A record of the control plane's own, which no client sees and no kind is for."""
    text = members(stored).get("config")
    return Resource(
        type=CONFIG,
        mesh="",
        name=stored.key.name,
        labels=stored.labels,
        spec=Config(config=text if isinstance(text, str) else ""),
        created_at=stored.created_at,
        modified_at=stored.modified_at,
        version=stored.version,
    )
