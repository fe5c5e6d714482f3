"""Every field of every type is read, kept and shown: by the facts of Kuma's protocol and schemas.

Each field is written alone, with a value that no field has by itself, and looked for in what is
shown. So a field that is declared wrongly, or not at all, is found whatever else is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.resources.body_members import known_body
from kong_mesh_cp.core.resources.kind import ProtoKind
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.schema.member_names import Shape, record_shape
from kong_mesh_cp.core.schema.record_faults import Faults
from kong_mesh_cp.core.schema.violations import root
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.suites.validation_cases import JsonLoader, shared_folder

NOT_OF_KUMA = {"AccessAudit", "AccessRole", "AccessRoleBinding"}  # types of Kong Mesh alone
FIELDS_AT_LEAST = 500  # of all messages; fewer would be facts that are not understood
PROPERTIES_AT_LEAST = 800  # of all schemas, likewise

SCALARS: dict[str, object] = {
    "string": "x",
    "bool": True,
    "bytes": "YQ==",
    "double": 2.5,
    "float": 2.5,
    "int32": 7,
    "int64": "7",
    "uint32": 7,
    "uint64": "7",
    "google.protobuf.Duration": "5s",
    "google.protobuf.Timestamp": "2026-01-02T03:04:05Z",
    "google.protobuf.Struct": {"a": "b"},
    "google.protobuf.BoolValue": False,
    "google.protobuf.BytesValue": "YQ==",
    "google.protobuf.DoubleValue": 2.5,
    "google.protobuf.FloatValue": 2.5,
    "google.protobuf.StringValue": "x",
    "google.protobuf.UInt32Value": 7,
    "google.protobuf.UInt64Value": "7",
}

Json = dict[str, Any]
Facts = dict[str, Any]


def reference(name: str) -> str:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    return (folder / "contract/reference" / name).read_text()


@cache
def facts() -> Facts:
    found: Facts = json.loads(reference("kuma-protos.json"))
    return found


def one_field_each(message: str, above: tuple[str, ...] = ()) -> Iterator[tuple[Json, Json]]:
    """Documents with one field, by its JSON name and by the one of the .proto file."""
    for proto_name, field in facts()["messages"][message].items():
        for value, by_proto in values(field, (*above, message)):
            held, held_by_proto = value, by_proto
            if field["label"] == "repeated":
                held, held_by_proto = [value], [by_proto]
            elif field["label"] == "map":
                held, held_by_proto = {"k": value}, {"k": by_proto}
            yield {field["json_name"]: held}, {proto_name: held_by_proto}


def values(field: Facts, above: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    of = field["type"]
    if field["kind"] == "enum":
        name = list(facts()["enums"][of])[-1]
        yield name, name
    elif of in SCALARS:
        yield SCALARS[of], SCALARS[of]
    else:
        # Empty ones are kept as well, but a message in itself would be endless.
        yield {}, {}
        if of not in above:
            yield from one_field_each(of, above)


def proto_kinds() -> list[str]:
    kinds = (name for name, kind in KINDS.items() if isinstance(kind, ProtoKind))
    return sorted(set(kinds) - NOT_OF_KUMA)


@pytest.mark.parametrize("type_name", proto_kinds())
def test_every_field_of_a_message_is_shown_as_it_was_written(type_name: str) -> None:
    kind = KINDS[type_name]
    lost, unknown, count = [], [], 0
    for document, by_proto in one_field_each(facts()["resource_types"][type_name]["spec"]):
        count += 1
        if kind.render(kind.parse(document)) != document:
            lost.append(document)
        if kind.parse(by_proto) != kind.parse(document):
            lost.append(by_proto)
        unknown += [*known_body(kind, document).warnings, *known_body(kind, by_proto).warnings]
    assert (lost, unknown) == ([], [])
    assert count


def test_the_facts_of_messages_are_understood() -> None:
    counts = [
        sum(1 for _ in one_field_each(facts()["resource_types"][name]["spec"]))
        for name in proto_kinds()
    ]
    assert sum(counts) > FIELDS_AT_LEAST


def plugin_kinds() -> list[str]:
    return sorted(name for name, kind in KINDS.items() if isinstance(kind, PluginKind))


def schema(type_name: str) -> Facts:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    path = folder / "contract/reference/schemas" / f"{type_name}.yaml"
    if not path.exists():
        pytest.skip(f"nobody has told the schema of {type_name}")
    found: Facts = yaml.load(path.read_text(), JsonLoader)["properties"]["spec"]
    return found


def properties(said: Facts, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every path of names with a value that fits there; lists have one item."""
    for name, inner in said.get("properties", {}).items():
        here = (*path, name)
        item = inner["items"] if inner.get("type") == "array" else inner
        if "properties" in item:
            yield from properties(item, here)
        else:
            yield here, sample(item)


def sample(said: Facts) -> Any:
    if "enum" in said:
        return said["enum"][-1]
    if said.get("x-kubernetes-int-or-string"):
        return 7
    match said.get("type"):
        case "string":
            return "YQ==" if said.get("format") == "byte" else "5s"
        case "integer" | "number":
            return 7
        case "boolean":
            return True
        case "array":
            return [sample(said["items"])]
        case "object" if said.get("additionalProperties", {}).get("type") == "string":
            return {"k": "5s"}
        case "object" if "x-kubernetes-preserve-unknown-fields" not in said:
            return {}  # it has no members at all
        case _:
            return {"a": 1}


def held(said: Facts, path: tuple[str, ...], value: Any) -> Json:
    """A document with `value` at `path` and nothing else."""
    name, *rest = path
    inner = said["properties"][name]
    is_list = inner.get("type") == "array"
    below = held(inner["items"] if is_list else inner, tuple(rest), value) if rest else value
    return {name: [below] if is_list else below}


def at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document.get(name)
        if isinstance(document, list) and document:
            document = document[0]
        if document is None:
            break
    return document


@pytest.mark.parametrize("type_name", plugin_kinds())
def test_every_property_of_a_schema_is_shown_as_it_was_written(type_name: str) -> None:
    kind, said = KINDS[type_name], schema(type_name)
    assert isinstance(kind, PluginKind)
    lost: list[tuple[str, ...]] = []
    unknown: list[str] = []
    for path, value in properties(said):
        document = held(said, path, value)
        # What is missing beside it is a fault, and not asked here.
        read = records.read(kind.spec_type, document, root("spec"), Faults())
        if at(records.render(read), path) != value:
            lost.append(path)
        unknown += known_body(kind, {"type": type_name, "spec": document}).warnings
    assert (lost, unknown) == ([], [])


def names(shape: Shape, path: str = "") -> Iterator[str]:
    for name, child in shape.members.items():
        yield f"{path}.{name}"
        if child is not None:
            yield from names(child, f"{path}.{name}")


def told(said: Facts, path: str = "") -> Iterator[str]:
    for name, inner in said.get("properties", {}).items():
        yield f"{path}.{name}"
        item = inner["items"] if inner.get("type") == "array" else inner
        yield from told(item, f"{path}.{name}")


@pytest.mark.parametrize("type_name", plugin_kinds())
def test_a_type_has_the_properties_of_its_schema_and_no_others(type_name: str) -> None:
    kind, said = KINDS[type_name], schema(type_name)
    assert isinstance(kind, PluginKind)
    ours = set(names(record_shape(records.record(kind.spec_type))))
    assert ours ^ set(told(said)) == set()


def test_the_schemas_are_understood() -> None:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    found = sum(
        1
        for path in (folder / "contract/reference/schemas").glob("*.yaml")
        for _ in told(yaml.load(path.read_text(), JsonLoader)["properties"]["spec"])
    )
    assert found > PROPERTIES_AT_LEAST
