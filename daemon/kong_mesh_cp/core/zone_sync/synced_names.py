"""Names of resources on another control plane than the one that they were made on.

Source: docs/wire/zone-sync.md#names
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.meta import NAME_CHARACTERS_MAX

# FNV-1a of 64 bits, and the characters of Kubernetes' names that spell no word.
_OFFSET: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_MASK: Final = (1 << 64) - 1
_SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_CHARACTERS: Final = 17  # with the dash


def hashed_name(mesh: str, display_name: str, *more: str) -> str:
    """`more`: of the zone and the namespace that the resource is of, where it is."""
    digest = _OFFSET
    for byte in "".join((mesh, display_name, *more)).encode():
        digest = ((digest ^ byte) * _PRIME) & _MASK
    suffix = "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in f"{digest:016x}")
    return f"{display_name[: NAME_CHARACTERS_MAX - _SUFFIX_CHARACTERS]}-{suffix}"


def synced_name(key: ResourceKey, given: Mapping[str, str]) -> str:
    """The name elsewhere of the resource `key` with the labels `given`."""
    told = (given[label] for label in (labels.ZONE, labels.NAMESPACE) if label in given)
    return hashed_name(key.mesh, labels.display_name(key.name, given), *told)


def removed_name(key: ResourceKey) -> str:
    """How a resource that is gone is told, and what the tables of a stream call any resource."""
    return f"{key.name}.{key.mesh}"


def key_of_removed(type_name: str, name: str) -> ResourceKey:
    """The inverse of `removed_name`: a name may have dots, the mesh has none."""
    own, _, mesh = name.rpartition(".")
    return ResourceKey(type_name, mesh, own)
