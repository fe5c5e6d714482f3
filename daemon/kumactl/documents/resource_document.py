"""One resource as a document has it, in universal or Kubernetes form, ready to be sent."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.formats.near_words import did_you_mean
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
_IDENTITY: Final = frozenset({"type", "mesh", "name", "labels"})
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


def items_of(value: object, source: str) -> Iterator[tuple[str, object]]:
    """What one YAML document holds, each with its place: itself, or the items of a list."""
    items = value.get("items") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(items, list) and "type" not in value:
        for number, item in enumerate(items, start=1):
            yield from items_of(item, f"{source}, item {number}")
    else:
        yield source, value


def read_resource(value: object, source: str, *, mesh: str) -> ResourceDocument:
    """The resource that `value` stands for, in either form.

    `mesh` is meant where a document of a mesh-scoped type names none. Raises: UsageError with
    all that keeps it from being one.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{source} is no resource: it is not an object")
    if "apiVersion" in value or "kind" in value:
        return _from_kubernetes(value, source, mesh)
    return _universal(value, source, mesh)


def _universal(given: JsonObject, source: str, mesh: str) -> ResourceDocument:
    document, problems = _in_lower_case(given)
    owner = document.get("mesh")
    problems += [_type_problem(document.get("type"), "type"), _name_problem(document, "name")]
    if owner is not None and not isinstance(owner, str):
        problems.append("mesh is not a text: put it between quotes")
    _refuse(source, problems)
    body = {key: item for key, item in document.items() if key not in _TIMES}
    resource_type = TYPES[text_at(document, "type")]
    return _placed(resource_type, text_at(document, "mesh") or mesh, text_at(body, "name"), body)


def _in_lower_case(given: JsonObject) -> tuple[JsonObject, list[str]]:
    """`given` with its identity as the API writes it, and what stands there twice.

    As Go reads JSON, the server takes names of members in any letter case; here a path is made
    of them.
    """
    document: dict[str, object] = {}
    problems = []
    for key, item in given.items():
        written = key.lower() if key.lower() in _IDENTITY else key
        if written in document:
            problems.append(f"{written} is there twice, in another letter case")
        document[written] = item
    return document, problems


def _from_kubernetes(document: JsonObject, source: str, mesh: str) -> ResourceDocument:
    metadata = object_at(document, "metadata")
    labels = dict(object_at(metadata, "labels"))
    owner = text_at(document, "mesh") or text_at(labels, MESH) or mesh
    api, kind = text_at(document, "apiVersion"), text_at(document, "kind")
    problems = [_name_problem(metadata, "name", "metadata.name")]
    members: JsonObject = {}
    if api == "v1" and kind == "Secret":
        word = text_at(document, "type")
        kind = _SECRET_TYPES.get(word, "")
        if not kind:
            problems.append(f"unknown type {word!r}: it is {' or '.join(_SECRET_TYPES)}")
        data = _secret_data(document)
        problems.append("data.value is not base64" if data is None else "")
        members = {"data": data}
    elif api == _KUMA_API:
        problems.append(_type_problem(kind, "kind"))
        spec = document.get("spec")
        spec = {} if spec is None else spec
        if not isinstance(spec, dict):
            problems.append("spec is not an object")
        elif (known := TYPES.get(kind)) is not None and known.plugin:
            # A status is the server's.
            members = {"spec": spec}
        else:
            # A spec's own `type` or `name` would hide the resource's.
            taken = sorted(spec.keys() & _IDENTITY)
            problems.append(f"spec must not hold {', '.join(taken)}" if taken else "")
            members = spec
    else:
        problems = [f"no resource of Kuma: apiVersion {api!r}, kind {kind!r}"]
    _refuse(source, problems)
    body: dict[str, object] = {"labels": labels} if labels else {}
    return _placed(TYPES[kind], owner, text_at(metadata, "name"), {**body, **members})


def _secret_data(document: JsonObject) -> str | None:
    if plain := text_at(document, "stringData", "value"):
        return base64.b64encode(plain.encode()).decode()
    data = text_at(document, "data", "value")
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        return None
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


def _type_problem(name: object, field: str) -> str:
    if not isinstance(name, str) or not name:
        return f"{field} {'is not a text' if name else 'cannot be empty'}"
    found = TYPES.get(name)
    if found is not None and found.path:
        return ""
    known = [each.name for each in TYPES.values() if each.path]
    return f"unknown {field} {name!r}{did_you_mean(name, known)}"


def _name_problem(members: JsonObject, key: str, field: str = "") -> str:
    value = members.get(key)
    if isinstance(value, str) and value:
        return ""
    if not value and not isinstance(value, int | float):
        return f"{field or key} cannot be empty"
    return f"{field or key} is not a text: put it between quotes"


def _refuse(source: str, problems: Sequence[str]) -> None:
    told = "; ".join(problem for problem in problems if problem)
    if told:
        raise UsageError(f"{source}: {told}")
