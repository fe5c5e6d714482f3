"""Which meshes there are, behind an error about one that is not."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.formats.near_words import did_you_mean
from kumactl.control_plane import ControlPlane
from kumactl.errors import KumactlError, MeshNotFoundError
from kumactl.json_value import count_at, objects_at, text_at

MESHES_SHOWN_MAX: Final = 10
_MESHES_READ_MAX: Final = 1000  # a page; among more, the nearest name may be missed


def explain_missing_mesh(error: MeshNotFoundError, plane: ControlPlane) -> None:
    """Let the message of `error` name its mesh and those there are, as far as they may be read."""
    if not error.mesh:
        return
    error.message += f': mesh "{error.mesh}"'
    try:
        page = plane.document("/meshes", {"size": str(_MESHES_READ_MAX)})
    except KumactlError:
        return
    names = [text_at(mesh, "name") for mesh in objects_at(page, "items")]
    total = max(count_at(page, "total"), len(names))
    shown = ", ".join(names[:MESHES_SHOWN_MAX])
    if total > MESHES_SHOWN_MAX:
        shown += f" and {total - MESHES_SHOWN_MAX} others"
    near = did_you_mean(error.mesh, names)
    verb = "is" if total == 1 else "are"
    error.message += f"; there {verb} {shown}{near}" if names else "; there is none"
