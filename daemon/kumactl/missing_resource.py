"""A resource that is not there, and what its name may have been meant to be."""

from __future__ import annotations

from kong_mesh_cp.core.formats.near_words import did_you_mean
from kong_mesh_cp.core.resources.registry import ResourceType
from kumactl.control_plane import PAGE_SIZE, ControlPlane
from kumactl.documents import resource_names
from kumactl.errors import KumactlError, NotFoundError
from kumactl.json_value import objects_at, text_at


def no_such_resource(
    plane: ControlPlane, resource_type: ResourceType, mesh: str, name: str
) -> NotFoundError:
    """The error to raise; it names the nearest one, as far as they may be read."""
    near = _near(plane, resource_names.collection_path(resource_type, mesh), name)
    return NotFoundError(f'there is no {resource_type.name} with name "{name}"{near}')


def _near(plane: ControlPlane, collection: str, name: str) -> str:
    try:
        page = plane.document(collection, {"size": str(PAGE_SIZE)})
    except KumactlError:
        return ""
    return did_you_mean(name, [text_at(each, "name") for each in objects_at(page, "items")])
