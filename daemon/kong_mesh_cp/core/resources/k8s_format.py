"""Resources in the form of Kubernetes objects (wire contract 3.9).

A control plane outside of Kubernetes shows its resources so for whoever moves them there
(`?format=k8s`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from kong_mesh_cp.core.formats.go_values import JsonObject
from kong_mesh_cp.core.resources.labels import MESH
from kong_mesh_cp.core.resources.registry import ResourceType

API_VERSION: Final = "kuma.io/v1alpha1"
SYSTEM_NAMESPACE: Final = "kong-mesh-system"

_SECRET_TYPES: Final = {
    "Secret": "system.kuma.io/secret",
    "GlobalSecret": "system.kuma.io/global-secret",
}
# Kinds that live in a namespace although they are no plugin types.
_NAMESPACED: Final = frozenset(
    {
        "Dataplane",
        "DataplaneInsight",
        "ZoneEgress",
        "ZoneEgressInsight",
        "ZoneIngress",
        "ZoneIngressInsight",
    }
)


def is_namespaced(row: ResourceType) -> bool:
    return row.plugin or row.name in _NAMESPACED or row.name in _SECRET_TYPES


def to_k8s(
    row: ResourceType,
    mesh: str,
    name: str,
    body: JsonObject,
    created_at: datetime,
    *,
    namespace: str = "",
    system_namespace: str = SYSTEM_NAMESPACE,
) -> dict[str, object]:
    """A resource as a Kubernetes object.

    `body`: what the kind renders, so the spec inline, or `spec` (and `status`) for plugin types.
    `namespace`: where the reader wants it; "" for the control plane's own.
    """
    metadata: dict[str, object] = {"name": name}
    if is_namespaced(row):
        metadata["namespace"] = namespace or system_namespace
    if mesh and (row.plugin or row.name in _SECRET_TYPES):
        metadata["labels"] = {MESH: mesh}
    metadata["creationTimestamp"] = _instant(created_at)
    if row.name in _SECRET_TYPES:
        return _secret(row, metadata, body)
    document: dict[str, object] = {"apiVersion": API_VERSION, "kind": row.name}
    if row.is_mesh_scoped and not row.plugin:
        document["mesh"] = mesh
    document["metadata"] = metadata
    if row.plugin:
        return document | dict(body)
    return document | {"spec": dict(body)}


def _secret(
    row: ResourceType, metadata: Mapping[str, object], body: JsonObject
) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": _SECRET_TYPES[row.name],
        "metadata": metadata,
        "data": {"value": body.get("data", "")},
    }


def _instant(at: datetime) -> str:
    # Kubernetes keeps no parts of a second.
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
