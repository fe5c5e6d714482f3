"""Resources in the form of Kubernetes objects, and back (wire contract 3.9).

A control plane outside of Kubernetes shows its resources so for a move to Kubernetes
(`?format=k8s`), and takes files that were written for Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from kong_mesh_cp.core.formats.go_values import JsonObject, ParseError, is_object
from kong_mesh_cp.core.resources.labels import MESH
from kong_mesh_cp.core.resources.meta import Scope
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType

API_VERSION: Final = "kuma.io/v1alpha1"
# Kong Mesh's default namespace; Kuma's is kuma-system.
SYSTEM_NAMESPACE: Final = "kong-mesh-system"
DEFAULT_MESH: Final = "default"

_SECRET_TYPES: Final = {
    "Secret": "system.kuma.io/secret",
    "GlobalSecret": "system.kuma.io/global-secret",
}
_SECRET_KINDS: Final = {secret_type: name for name, secret_type in _SECRET_TYPES.items()}
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
_META: Final = frozenset({"type", "mesh", "name", "labels", "creationTime", "modificationTime"})


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


def is_k8s(document: object) -> bool:
    """Whether `document` is written for Kubernetes rather than for the HTTP API."""
    # A body for the API always has a type; of Kubernetes' kinds only its Secret has one.
    if not is_object(document) or "apiVersion" not in document:
        return False
    return "type" not in document or document.get("kind") == "Secret"


def from_k8s(document: JsonObject) -> dict[str, object]:
    """The body for the HTTP API that means the same as a Kubernetes object.

    Raises: ParseError for what is no object of ours. The spec itself is not looked at.
    """
    resource_type = _resource_type(document)
    metadata = _member(document, "metadata")
    labels = _member(metadata, "labels")
    body: dict[str, object] = {"type": resource_type.name}
    if resource_type.scope is Scope.MESH:
        # The member of the older resources, then the label of the newer ones; no object has both.
        body["mesh"] = document.get("mesh") or labels.get(MESH) or DEFAULT_MESH
    body["name"] = metadata.get("name", "")
    # The mesh has a member of its own here; the write computes the label anew.
    kept = {key: value for key, value in labels.items() if key != MESH}
    if kept:
        body["labels"] = kept
    if resource_type.name in _SECRET_TYPES:
        return body | {"data": _member(document, "data").get("value", "")}
    if resource_type.plugin:
        return body | {"spec": document.get("spec", {})}
    # What names the resource stands once, in the metadata.
    # Type, mesh and name come from the object's metadata, whatever the spec says.
    spec = _member(document, "spec")
    return body | {key: value for key, value in spec.items() if key not in _META}


def _resource_type(document: JsonObject) -> ResourceType:
    version, kind = document.get("apiVersion"), document.get("kind")
    if version == "v1" and kind == "Secret":
        name = _SECRET_KINDS.get(str(document.get("type")))
        if name is None:
            known = ", ".join(sorted(_SECRET_KINDS))
            raise ParseError(f"a Secret of Kubernetes has to be of one of the types {known}")
        return TYPES[name]
    if version != API_VERSION:
        raise ParseError(f"apiVersion has to be {API_VERSION}")
    resource_type = TYPES.get(str(kind))
    if resource_type is None or resource_type.name in _SECRET_TYPES:
        raise ParseError("kind is no type of this control plane")
    return resource_type


def _member(document: JsonObject, name: str) -> JsonObject:
    value = document.get(name)
    if value is None:
        return {}
    if is_object(value):
        return value
    raise ParseError(f"{name} has to be an object")
