"""Resources in the form of Kubernetes objects (docs/wire/resource-api.md#kubernetes-form).

A control plane outside of Kubernetes shows its resources so for a move to one there
(`?format=k8s`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.resources.labels import MESH
from kong_mesh_cp.core.resources.registry import ResourceType

API_VERSION: Final = "kuma.io/v1alpha1"
# Kong Mesh's default namespace; Kuma's is kuma-system.
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


def is_namespaced(resource_type: ResourceType) -> bool:
    return (
        resource_type.plugin
        or resource_type.name in _NAMESPACED
        or resource_type.name in _SECRET_TYPES
    )


def to_k8s(
    resource_type: ResourceType,
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
    if is_namespaced(resource_type):
        metadata["namespace"] = namespace or system_namespace
    # Objects of Kubernetes have no mesh member; the newer types say it by a label.
    if mesh and (resource_type.plugin or resource_type.name in _SECRET_TYPES):
        metadata["labels"] = {MESH: mesh}
    metadata["creationTimestamp"] = _instant(created_at)
    if resource_type.name in _SECRET_TYPES:
        return _secret(resource_type, metadata, body)
    document: dict[str, object] = {"apiVersion": API_VERSION, "kind": resource_type.name}
    if resource_type.is_mesh_scoped and not resource_type.plugin:
        # The older custom resources have it beside `metadata`.
        document["mesh"] = mesh
    document["metadata"] = metadata
    if resource_type.plugin:
        return document | dict(body)
    return document | {"spec": dict(body)}


def _secret(
    resource_type: ResourceType, metadata: Mapping[str, object], body: JsonObject
) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": _SECRET_TYPES[resource_type.name],
        "metadata": metadata,
        # Base64 on both sides, so that the text goes over as it is.
        "data": {"value": body.get("data", "")},
    }


def _instant(at: datetime) -> str:
    # Kubernetes keeps no parts of a second.
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
