"""Messages of the protobuf package, made of facts about fields: a second opinion on bytes.

The facts have the form of `contract/reference/kuma-protos.json`: by the full name of a message its
fields, each with number, type, kind, label and JSON name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.message import Message

WELL_KNOWN = (any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
ONE_FILE = "facts.proto"
_Field = descriptor_pb2.FieldDescriptorProto

Facts = Mapping[str, Mapping[str, Any]]


class Runtime:
    """All messages of the facts. They lie in one package, with `_` for the dots of their names."""

    def __init__(self, messages: Facts, enums: Mapping[str, Mapping[str, int]]) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        for module in WELL_KNOWN:
            self.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file = descriptor_pb2.FileDescriptorProto(name=ONE_FILE, package="facts", syntax="proto3")
        file.dependency.extend(module.DESCRIPTOR.name for module in WELL_KNOWN)
        for name, values in enums.items():
            enum = file.enum_type.add(name=_flat(name))
            for value, number in sorted(values.items(), key=lambda item: item[1]):
                # Names of values share one scope with those of the other enums of the file.
                enum.value.add(name=f"{_flat(name)}_{value}", number=number)
        for name, fields in messages.items():
            _describe(file.message_type.add(name=_flat(name)), fields)
        self.pool.Add(file)

    def message(self, name: str) -> type[Message]:
        descriptor = self.pool.FindMessageTypeByName(f"facts.{_flat(name)}")
        return message_factory.GetMessageClass(descriptor)


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _describe(message: descriptor_pb2.DescriptorProto, fields: Mapping[str, Any]) -> None:
    groups = list(_groups(fields))
    for group in groups:
        message.oneof_decl.add(name=group)
    for name, fact in fields.items():
        field = message.field.add(name=name, number=fact["number"], json_name=fact["json_name"])
        field.label = _Field.LABEL_OPTIONAL
        if "oneof" in fact:
            field.oneof_index = groups.index(fact["oneof"])
        if fact["label"] == "map":
            entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
            entry.options.map_entry = True
            for number, part in ((1, "key"), (2, "value")):
                of = {"kind": "scalar", "type": fact["key"]} if part == "key" else fact
                _set_type(entry.field.add(name=part, number=number, label=1), of)
            field.type, field.type_name = _Field.TYPE_MESSAGE, entry.name
        else:
            _set_type(field, fact)
        if fact["label"] in {"map", "repeated"}:
            field.label = _Field.LABEL_REPEATED


def _groups(fields: Mapping[str, Any]) -> Iterator[str]:
    return iter(dict.fromkeys(fact["oneof"] for fact in fields.values() if "oneof" in fact))


def _set_type(field: descriptor_pb2.FieldDescriptorProto, fact: Mapping[str, Any]) -> None:
    name = fact["type"]
    if fact["kind"] == "scalar":
        field.type = _Field.Type.Value(f"TYPE_{name.upper()}")
        return
    field.type = _Field.TYPE_ENUM if fact["kind"] == "enum" else _Field.TYPE_MESSAGE
    field.type_name = f".{name}" if name.startswith("google.protobuf.") else f".facts.{_flat(name)}"
