"""The numbers and types of all messages, compared with the facts of Kuma's protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, get_args, get_origin

import pytest

from kong_mesh_cp.core.resources import metrics_backend
from kong_mesh_cp.core.resources.kind import ProtoKind
from kong_mesh_cp.core.resources.kinds import mesh
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.kinds.config import Config
from kong_mesh_cp.core.schema import message_scalars as scalars
from kong_mesh_cp.core.schema.messages import Message, MessageField, ProtoEnum, message_fields
from support.suites.validation_cases import shared_folder

WRAPPERS = {
    "bool": "google.protobuf.BoolValue",
    "bytes": "google.protobuf.BytesValue",
    "double": "google.protobuf.DoubleValue",
    "float": "google.protobuf.FloatValue",
    "string": "google.protobuf.StringValue",
    "uint32": "google.protobuf.UInt32Value",
}
SCALARS = {
    scalars.STRING: "string",
    scalars.BOOL: "bool",
    scalars.DOUBLE: "double",
    scalars.FLOAT: "float",
    scalars.INT32: "int32",
    scalars.UINT32: "uint32",
    scalars.UINT64: "uint64",
    scalars.BYTES: "bytes",
    scalars.DURATION: "google.protobuf.Duration",
    scalars.TIMESTAMP: "google.protobuf.Timestamp",
    scalars.STRUCT: "google.protobuf.Struct",
}
# What the `conf` of a backend holds: of these only the JSON travels, inside of a Struct.
INSIDE_OF_STRUCTS: Mapping[str, type[Message]] = {
    "PrometheusMetricsBackendConfig": metrics_backend.PrometheusConf,
    "TcpLoggingBackendConfig": mesh.TcpConf,
    "FileLoggingBackendConfig": mesh.FileConf,
    "ZipkinTracingBackendConfig": mesh.ZipkinConf,
    "DatadogTracingBackendConfig": mesh.DatadogConf,
}
# Types of Kong Mesh, whose numbers nobody tells.
NOT_OF_KUMA = {"AccessAudit", "AccessRole", "AccessRoleBinding"}

Field = dict[str, Any]


@cache
def facts() -> dict[str, Any]:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    document = json.loads((folder / "contract/reference/kuma-protos.json").read_text())
    assert isinstance(document, dict)
    return document


def roots() -> Iterator[tuple[type[Message], str]]:
    """The messages that hold all others, with their full names."""
    yield Config, "kuma.system.v1alpha1.Config"
    for name, message_type in INSIDE_OF_STRUCTS.items():
        yield message_type, f"kuma.mesh.v1alpha1.{name}"
    for name, kind in KINDS.items():
        if isinstance(kind, ProtoKind) and name not in NOT_OF_KUMA:
            yield kind.message_type, facts()["resource_types"][name]["spec"]


def pairs() -> dict[tuple[type[Message], str], None]:
    """Every message with each name it has: some are one here, and twice the same over there."""
    found: dict[tuple[type[Message], str], None] = {}
    waiting = list(roots())
    while waiting:
        pair = waiting.pop()
        if pair in found:
            continue
        found[pair] = None
        message_type, name = pair
        theirs = facts()["messages"][name]
        for field in message_fields(message_type):
            inner = element(field.hint)
            if isinstance(inner, type) and issubclass(inner, Message):
                waiting.append((inner, theirs[proto_name(field)]["type"]))
    return found


def element(hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return get_args(hint)[0]
    return get_args(hint)[1] if get_origin(hint) is Mapping else hint


def proto_name(field: MessageField) -> str:
    """The name in the .proto file: the one that is read beside that of JSON, if there is one."""
    return field.names[0]


def described(field: MessageField, their_type: str) -> Field:
    """A field of ours in the words of the facts; `their_type` names a message, that has no name."""
    inner = element(field.hint)
    if isinstance(inner, type) and issubclass(inner, Message):
        kind, type_name = "message", their_type
    elif isinstance(inner, type) and issubclass(inner, ProtoEnum):
        kind, type_name = "enum", inner.__proto_name__  # type: ignore[attr-defined]
    else:
        annotated = get_origin(inner) is Annotated
        type_name = SCALARS[inner.__metadata__[0] if annotated else scalars.PLAIN[inner]]
        may_be_absent = field.default is None and get_origin(field.hint) is not Mapping
        if field.wrapped or (may_be_absent and not field.oneof):
            type_name = WRAPPERS.get(type_name, type_name)
        kind = "message" if type_name.startswith("google.") else "scalar"
    label = {tuple: "repeated", Mapping: "map"}.get(get_origin(field.hint), "singular")
    said: Field = {
        "number": field.number,
        "type": type_name,
        "kind": kind,
        "label": label,
        "json_name": field.name,
    }
    if label == "map":
        said["key"] = "string"
    if field.oneof:
        said["oneof"] = field.oneof
    return said


def test_every_message_has_the_fields_of_its_proto_file_and_no_others() -> None:
    different = {}
    for message_type, name in pairs():
        theirs = facts()["messages"][name]
        ours = {
            proto_name(field): described(field, theirs.get(proto_name(field), {}).get("type", ""))
            for field in message_fields(message_type)
        }
        if ours != theirs:
            different[name] = {
                field: (ours.get(field), theirs.get(field))
                for field in sorted(ours.keys() | theirs.keys())
                if ours.get(field) != theirs.get(field)
            }
    assert different == {}


def test_every_enum_has_the_values_of_its_proto_file_and_no_others() -> None:
    enums = {
        element(field.hint)
        for message_type, _ in pairs()
        for field in message_fields(message_type)
        if isinstance(element(field.hint), type) and issubclass(element(field.hint), ProtoEnum)
    }
    ours = {enum.__proto_name__: {each.name: each.value for each in enum} for enum in enums}
    assert ours == {name: facts()["enums"][name] for name in ours}
    assert len(ours) > 10


def test_every_type_whose_spec_is_a_message_over_there_has_one_here() -> None:
    theirs = {
        name: row["spec"]
        for name, row in facts()["resource_types"].items()
        if row["spec"] != "json"
    }
    ours = {name for name, kind in KINDS.items() if isinstance(kind, ProtoKind)} - NOT_OF_KUMA
    assert ours | {"Config"} == set(theirs)
