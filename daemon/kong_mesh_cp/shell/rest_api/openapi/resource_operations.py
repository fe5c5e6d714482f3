"""OpenAPI operations of the routes that every resource type has."""

from __future__ import annotations

from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.rest_api.capabilities import DRY_RUN, STRICT
from kong_mesh_cp.shell.rest_api.list_queries import TAGGED
from kong_mesh_cp.usecases.resources.reader import OVERVIEWS

_LISTED = ("name", "offset", "size")


def get_one(resource_type: ResourceType) -> Operation:
    return Operation(
        id=f"get{resource_type.name}",
        summary=f"One {resource_type.singular}",
        tag=resource_type.name,
        answers=(resource_type.name, "KubernetesObject"),
        query=("format", "namespace"),
    )


def put(resource_type: ResourceType) -> Operation:
    return Operation(
        id=f"put{resource_type.name}",
        summary=f"Make one {resource_type.singular}, or replace all of its spec",
        tag=resource_type.name,
        description=_unwritable(resource_type)
        or "Type, mesh and name in the body are those of the path.",
        answers=() if resource_type.read_only else ("Written",),
        takes=resource_type.name,
        creates=not resource_type.read_only,
        query=() if resource_type.read_only else (DRY_RUN, STRICT),
        refuses=(405,) if resource_type.read_only else (405, 409),
    )


def delete(resource_type: ResourceType) -> Operation:
    return Operation(
        id=f"delete{resource_type.name}",
        summary=f"Delete one {resource_type.singular}, with all that it owns",
        tag=resource_type.name,
        description=_unwritable(resource_type),
        answers=() if resource_type.read_only else ("Deleted",),
        query=() if resource_type.read_only else (DRY_RUN,),
        refuses=(405,) if resource_type.read_only else (405, 409),
    )


def list_(resource_type: ResourceType, path: str) -> Operation:
    plural = resource_type.plural.replace(" ", "")
    return Operation(
        id=f"list{_everywhere(resource_type, path)}{plural}",
        summary=f"{resource_type.plural} {_where(resource_type, path)}",
        tag=resource_type.name,
        answers=(f"{resource_type.name}List",),
        query=_queries(resource_type),
    )


def overview(resource_type: ResourceType, path: str) -> Operation:
    legacy = _legacy(path)
    return Operation(
        id=f"get{resource_type.name}Overview{'ByOldName' if legacy else ''}",
        summary=f"One {resource_type.singular} with what is observed of it{legacy}",
        tag=resource_type.name,
        answers=(OVERVIEWS[resource_type.name].shown_type,),
    )


def overviews(resource_type: ResourceType, path: str) -> Operation:
    legacy, everywhere = _legacy(path), _everywhere(resource_type, path)
    return Operation(
        id=f"list{everywhere}{resource_type.name}Overviews{'ByOldName' if legacy else ''}",
        summary=(
            f"{resource_type.plural} {_where(resource_type, path)}, "
            f"with what is observed of them{legacy}"
        ),
        tag=resource_type.name,
        answers=(f"{OVERVIEWS[resource_type.name].shown_type}List",),
        query=_queries(resource_type),
    )


def _unwritable(resource_type: ResourceType) -> str:
    return (
        "Always refused: only the control plane writes this type."
        if resource_type.read_only
        else ""
    )


def _queries(resource_type: ResourceType) -> tuple[str, ...]:
    tagged = ("tag",) if resource_type.name in TAGGED else ()
    gateway = ("gateway",) if resource_type.name == "Dataplane" else ()
    return tuple(sorted((*_LISTED, "filter", *tagged, *gateway)))


def _legacy(path: str) -> str:
    return "" if "/_overview" in path else ", by its old name"


def _everywhere(resource_type: ResourceType, path: str) -> str:
    return "All" if resource_type.is_mesh_scoped and not path.startswith("/meshes/") else ""


def _where(resource_type: ResourceType, path: str) -> str:
    if not resource_type.is_mesh_scoped:
        return "of this control plane"
    return "of all meshes" if _everywhere(resource_type, path) else "of a mesh"
