"""What the API's document says of the routes that every type of resource has."""

from __future__ import annotations

from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.rest_api.list_queries import TAGGED
from kong_mesh_cp.usecases.resources.reader import OVERVIEWS

_LISTED = ("name", "offset", "size")


def get_one(row: ResourceType) -> Operation:
    return Operation(
        id=f"get{row.name}",
        summary=f"One {row.singular}",
        tag=row.name,
        answers=(row.name, "KubernetesObject"),
        query=("format", "namespace"),
    )


def put(row: ResourceType) -> Operation:
    return Operation(
        id=f"put{row.name}",
        summary=f"Make one {row.singular}, or replace all of its spec",
        tag=row.name,
        description=_unwritable(row) or "Type, mesh and name in the body are those of the path.",
        answers=() if row.read_only else ("Written",),
        takes=row.name,
        creates=not row.read_only,
        refuses=(405,) if row.read_only else (405, 409),
    )


def delete(row: ResourceType) -> Operation:
    return Operation(
        id=f"delete{row.name}",
        summary=f"Delete one {row.singular}, with all that it owns",
        tag=row.name,
        description=_unwritable(row),
        answers=() if row.read_only else ("Deleted",),
        refuses=(405,) if row.read_only else (405, 409),
    )


def list_(row: ResourceType, path: str) -> Operation:
    plural = row.plural.replace(" ", "")
    return Operation(
        id=f"list{_everywhere(row, path)}{plural}",
        summary=f"{row.plural} {_where(row, path)}",
        tag=row.name,
        answers=(f"{row.name}List",),
        query=_queries(row),
    )


def overview(row: ResourceType, path: str) -> Operation:
    legacy = _legacy(path)
    return Operation(
        id=f"get{row.name}Overview{'ByOldName' if legacy else ''}",
        summary=f"One {row.singular} with what is observed of it{legacy}",
        tag=row.name,
        answers=(OVERVIEWS[row.name].shown_type,),
    )


def overviews(row: ResourceType, path: str) -> Operation:
    legacy, everywhere = _legacy(path), _everywhere(row, path)
    return Operation(
        id=f"list{everywhere}{row.name}Overviews{'ByOldName' if legacy else ''}",
        summary=f"{row.plural} {_where(row, path)}, with what is observed of them{legacy}",
        tag=row.name,
        answers=(f"{OVERVIEWS[row.name].shown_type}List",),
        query=_queries(row),
    )


def _unwritable(row: ResourceType) -> str:
    return "Always refused: only the control plane writes this type." if row.read_only else ""


def _queries(row: ResourceType) -> tuple[str, ...]:
    tagged = ("tag",) if row.name in TAGGED else ()
    gateway = ("gateway",) if row.name == "Dataplane" else ()
    return tuple(sorted((*_LISTED, "filter", *tagged, *gateway)))


def _legacy(path: str) -> str:
    return "" if "/_overview" in path else ", by its old name"


def _everywhere(row: ResourceType, path: str) -> str:
    return "All" if row.is_mesh_scoped and not path.startswith("/meshes/") else ""


def _where(row: ResourceType, path: str) -> str:
    if not row.is_mesh_scoped:
        return "of this control plane"
    return "of all meshes" if _everywhere(row, path) else "of a mesh"
