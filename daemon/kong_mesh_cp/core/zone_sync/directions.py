"""Which types of resources travel between a global control plane and those of its zones, and how.

Source: docs/wire/zone-sync.md#types
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.discovery.type_order import TypeOrder
from kong_mesh_cp.core.resources.registry import TYPES, Kds, ResourceType

MESH: Final = "Mesh"
CONFIG: Final = "Config"
SECRET: Final = "Secret"  # noqa: S105 (the name of a type)
GLOBAL_SECRET: Final = "GlobalSecret"  # noqa: S105 (likewise)

# Their names are theirs everywhere: meshes and secrets are referred to by name.
KEEPING_NAMES: Final = frozenset({MESH, CONFIG, SECRET, GLOBAL_SECRET})


def _goes_down(of: ResourceType) -> bool:
    return bool(of.kds & (Kds.GLOBAL_TO_ZONES | Kds.SYNCED_ACROSS_ZONES))


def _goes_up(of: ResourceType) -> bool:
    return Kds.ZONE_TO_GLOBAL in of.kds


def _mesh_last(name: str) -> tuple[bool, str]:
    return name == MESH, name  # with authorities and policies in place it takes effect whole


# From the global control plane to those of zones, and the other way, in the order of sending.
DOWN: Final = tuple(sorted((name for name, of in TYPES.items() if _goes_down(of)), key=_mesh_last))
UP: Final = tuple(sorted(name for name, of in TYPES.items() if _goes_up(of)))

DOWN_ORDER: Final = TypeOrder(order=DOWN, wildcard=frozenset(DOWN))
UP_ORDER: Final = TypeOrder(order=UP, wildcard=frozenset(UP))


def is_of_global(type_name: str) -> bool:
    """Whether the global control plane has resources of its own of the type for its zones."""
    return Kds.GLOBAL_TO_ZONES in TYPES[type_name].kds


def is_across_zones(type_name: str) -> bool:
    """Whether a zone's resources of the type are told to the other zones."""
    return Kds.SYNCED_ACROSS_ZONES in TYPES[type_name].kds


def may_be_of_zone(type_name: str) -> bool:
    """Whether a zone may have resources of its own of the type."""
    # Configs are the control plane's own records; a zone has its own beside that of the cluster.
    return type_name == CONFIG or TYPES[type_name].provided_by_zone
