"""Membership constraints: whether a mesh admits a proxy, by the tags of the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.meshes.membership import Breach, breach, shown

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds.mesh import ProxyConstraints

REQUIREMENTS_SHOWN = 4  # in a hint; the refusal holds all of them

_ZONE = "kuma.io/zone"


def refusal(
    constraints: ProxyConstraints, request: AdmissionRequest, *, zone: str, added: Tags
) -> Refused | None:
    """Why a proxy may not join its mesh; None when it may.

    `added` are the tags that the control plane puts on the proxy. The zone is always the control
    plane's own, whatever the request says.
    """
    tag_sets = ({**tags, **added, _ZONE: zone} for tags in request.tag_sets)
    found = breach(constraints, tag_sets)
    if found is None:
        return None
    return Refused(
        code=RefusalCode.MESH_CONSTRAINT,
        reason=found.reason(request.mesh),
        hint=_hint(found, request.mesh),
        breach=found,
    )


def _hint(found: Breach, mesh: str) -> str:
    if found.of_restriction:
        return f"Change the tags so that {shown(found.rules[0])} is not met, or {found.field}."
    listed = " or ".join(map(shown, found.rules[:REQUIREMENTS_SHOWN]))
    more = len(found.rules) - REQUIREMENTS_SHOWN
    others = f" or one of {more} more" if more > 0 else ""
    return f"Mesh {mesh} asks for {listed}{others}: set such tags, or change {found.field}."
