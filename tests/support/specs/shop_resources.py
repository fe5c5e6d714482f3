"""Resources of the mesh `shop` as a store holds them, of specs that are already read."""

from __future__ import annotations

from typing import Any

from kong_mesh_cp.core.resources.meta import Resource
from support.fakes.identity import NOW


def resource(type_name: str, name: str, spec: Any) -> Resource[Any]:
    return Resource(
        type=type_name,
        mesh="" if type_name == "Mesh" else "shop",
        name=name,
        labels={},
        spec=spec,
        created_at=NOW,
        modified_at=NOW,
        version=1,
    )
