"""One resource as a document has it, in universal or Kubernetes form, ready to be sent."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.resources.labels import MESH
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl.documents import resource_names
from kumactl.errors import UsageError
from kumactl.json_value import JsonObject, object_at, text_at

_KUMA_API: Final = "kuma.io/v1alpha1"
_SECRET_TYPES: Final = {
    "system.kuma.io/secret": "Secret",
    "system.kuma.io/global-secret": "GlobalSecret",
}
# The server's own; in a body they mean nothing.
_TIMES: Final = ("creationTime", "modificationTime")


@dataclass(frozen=True, slots=True)
class ResourceDocument:
    """A resource in the form of the API: `body` is what a PUT to `path` carries."""

    type: ResourceType
    mesh: str  # "" for a type of global scope
    name: str
    body: JsonObject

    @property
    def path(self) -> str:
        return resource_names.item_path(self.type, self.mesh, self.name)

    @property
    def subject(self) -> str:
        """How messages name it: `mesh/payments`, `meshtimeout/slow (mesh payments)`."""
        named = f"{resource_names.singular(self.type)}/{self.name}"
        return f"{named} (mesh {self.mesh})" if self.type.is_mesh_scoped else named


def read_resources(value: object, source: str, *, mesh: str) -> Iterator[ResourceDocument]:
    """The resources of one YAML document: one, or the items of a list of them.

    `mesh` is meant where a document of a mesh-scoped type names none. Raises: UsageError.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{source} is no resource: it is not an object")
    items = value.get("items")
    if isinstance(items, list) and ("type" not in value):
        for number, item in enumerate(items, start=1):
            yield from read_resources(item, f"{source}, item {number}", mesh=mesh)
    elif "apiVersion" in value or "kind" in value:
        yield _from_kubernetes(value, source, mesh)
    else:
        yield _universal(value, source, mesh)


def _universal(document: JsonObject, source: str, mesh: str) -> ResourceDocument:
    resource_type = _known_type(text_at(document, "type"), source, "type")
    name = _name(document.get("name"), source, "name")
    given = document.get("mesh")
    if given is not None and not isinstance(given, str):
        raise UsageError(f"{source}: mesh is not a text")
    body = {key: item for key, item in document.items() if key not in _TIMES}
    return _placed(resource_type, given or mesh, name, body)


def _from_kubernetes(document: JsonObject, source: str, mesh: str) -> ResourceDocument:
    name = _name(object_at(document, "metadata").get("name"), source, "metadata.name")
    labels = dict(object_at(document, "metadata", "labels"))
    owner = text_at(document, "mesh") or text_at(labels, MESH) or mesh
    api, kind = text_at(document, "apiVersion"), text_at(document, "kind")
    if api == "v1" and kind == "Secret":
        resource_type = _known_type(
            _SECRET_TYPES.get(text_at(document, "type"), ""), source, "type"
        )
        members: JsonObject = {"data": _secret_data(document, source)}
    elif api == _KUMA_API:
        resource_type = _known_type(kind, source, "kind")
        spec = document.get("spec")
        spec = {} if spec is None else spec
        if not isinstance(spec, dict):
            raise UsageError(f"{source}: spec is not an object")
        # A status is the server's; a spec's own `type` or `name` would hide the resource's.
        members = {"spec": spec} if resource_type.plugin else _inline(spec, source)
    else:
        raise UsageError(f"{source}: no resource of Kuma: apiVersion {api!r}, kind {kind!r}")
    body: dict[str, object] = {"labels": labels} if labels else {}
    return _placed(resource_type, owner, name, {**body, **members})


def _inline(spec: JsonObject, source: str) -> JsonObject:
    taken = sorted(spec.keys() & {"type", "mesh", "name", "labels"})
    if taken:
        raise UsageError(f"{source}: spec must not hold {', '.join(taken)}")
    return spec


def _secret_data(document: JsonObject, source: str) -> str:
    if plain := text_at(document, "stringData", "value"):
        return base64.b64encode(plain.encode()).decode()
    data = text_at(document, "data", "value")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise UsageError(f"{source}: data.value is not base64") from None
    return data


def _placed(
    resource_type: ResourceType, mesh: str, name: str, members: JsonObject
) -> ResourceDocument:
    rest = {key: item for key, item in members.items() if key not in {"type", "mesh", "name"}}
    if not resource_type.is_mesh_scoped:
        return ResourceDocument(
            resource_type, "", name, {"type": resource_type.name, "name": name, **rest}
        )
    body = {"type": resource_type.name, "mesh": mesh, "name": name, **rest}
    return ResourceDocument(resource_type, mesh, name, body)


def _known_type(name: str, source: str, field: str) -> ResourceType:
    resource_type = TYPES.get(name)
    if resource_type is None or not resource_type.path:
        shown = f"unknown {field} {name!r}" if name else f"{field} cannot be empty"
        raise UsageError(f"{source}: {shown}")
    return resource_type


def _name(value: object, source: str, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{source}: {field} {'is not a text' if value else 'cannot be empty'}")
    return value
