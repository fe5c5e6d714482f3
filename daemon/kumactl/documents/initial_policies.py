"""What a control plane made together with a Mesh, as far as it can be read back."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.resources.registry import TYPES
from kumactl.control_plane import ControlPlane
from kumactl.documents import resource_names
from kumactl.documents.resource_document import ResourceDocument
from kumactl.errors import KumactlError
from kumactl.json_value import count_at, objects_at, text_at

_DEFAULT_POLICIES: Final = (
    "MeshTimeout",
    "MeshCircuitBreaker",
    "MeshRetry",
    "TrafficPermission",
    "TrafficRoute",
)
# Beyond any list: the answer tells how many there are, and carries no secret over the wire.
_BEYOND: Final = {"size": "1", "offset": "1000000"}


def made_with_mesh(plane: ControlPlane, document: ResourceDocument) -> str:
    """`4 default policies, CA ca-1, signing key` of a Mesh just made; "" for other types.

    What this user must not read, or this server does not tell, is left out.
    """
    if document.type.name != "Mesh":
        return ""
    parts = []
    policies = sum(_total(plane, each, document.name) for each in _DEFAULT_POLICIES)
    if policies:
        parts.append(f"{policies} default {'policy' if policies == 1 else 'policies'}")
    builtin = [
        text_at(backend, "name")
        for backend in objects_at(document.body, "mtls", "backends")
        if text_at(backend, "type") == "builtin"
    ]
    authority = f"{document.name}.ca-builtin-cert-"
    if builtin and _total(plane, "Secret", document.name, name=authority):
        parts.append(f"CA {', '.join(builtin)}")
    if _total(plane, "Secret", document.name, name="dataplane-token-signing-key-"):
        parts.append("signing key")
    return ", ".join(parts)


def _total(plane: ControlPlane, type_name: str, mesh: str, *, name: str = "") -> int:
    query = {**_BEYOND, "name": name} if name else _BEYOND
    path = resource_names.collection_path(TYPES[type_name], mesh)
    try:
        return count_at(plane.document(path, query), "total")
    except KumactlError:
        return 0
