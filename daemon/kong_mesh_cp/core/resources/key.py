"""The key of a resource: type, mesh and name."""

from __future__ import annotations

from typing import NamedTuple


class ResourceKey(NamedTuple):
    """`mesh` is "" for a type of global scope. Keys sort as lists do: by type, mesh, name."""

    type: str
    mesh: str
    name: str
