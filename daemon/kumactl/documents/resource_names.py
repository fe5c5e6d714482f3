"""What a user may call a resource type, and the paths of its resources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import quote

from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl.errors import UsageError

DEFAULT_MESH: Final = "default"


@cache
def by_word() -> Mapping[str, ResourceType]:
    """Every word for a type: kumactl's own names first, then URL segment and type name."""
    shown = [row for row in TYPES.values() if row.path]
    words: dict[str, ResourceType] = {}
    for row in shown:
        words |= dict.fromkeys(row.kumactl, row)
    for row in shown:
        for word in (row.path, row.name.lower()):
            words.setdefault(word, row)
    return words


def resource_type(word: str) -> ResourceType:
    """The type that `word` means on a command line. Raises: UsageError."""
    found = by_word().get(word.lower())
    if found is None:
        raise UsageError(f'unknown resource type "{word}". `kumactl get --help` lists them')
    return found


def singular(row: ResourceType) -> str:
    """The word for one resource of the type: `mesh`, `meshtimeout`."""
    return row.kumactl[0] if row.kumactl else row.name.lower()


def plural(row: ResourceType) -> str:
    """The word for all resources of the type: `meshes`, `healthchecks`."""
    return row.kumactl[1] if row.kumactl else row.path


def collection_path(row: ResourceType, mesh: str) -> str:
    """Where the resources of the type are, in `mesh` if it lies in meshes."""
    if row.is_mesh_scoped:
        return f"/meshes/{segment(mesh)}/{row.path}"
    return f"/{row.path}"


def item_path(row: ResourceType, mesh: str, name: str) -> str:
    """Where one resource is."""
    return f"{collection_path(row, mesh)}/{segment(name)}"


def segment(name: str) -> str:
    """`name` as one segment of a path: no slash of it makes another one. Raises: UsageError."""
    if name in {"", ".", ".."}:
        raise UsageError(f"{name!r} is no name")  # of a folder, for whoever tidies paths up
    return quote(name, safe="")
