"""The protobuf package reads and writes the same bytes for the same messages."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.resources.kind import ProtoKind
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.messages import write_message
from kong_mesh_cp.core.schema.wire_format import BinaryError, BinaryFault
from support.specs.every_field import Everything, messages, unhurried
from support.specs.protobuf_runtime import Runtime
from support.suites.shared_documents import resources
from support.suites.validation_cases import shared_folder

# The fields of support.specs.every_field by their numbers: `*` is a list, `#` a map, `?` of a group.
FIELDS = ["text string", "flag bool", "ratio double", "count uint32", "big_count uint64"]
FIELDS += ["delta int32", "color Color", "data bytes", "inner Inner", "items Inner*"]
FIELDS += ["names string*", "counts uint32*", "colors Color*", "ratios double*"]
FIELDS += ["statuses UInt32Value*", "tags string#", "inners Inner#", "totals uint32#"]
FIELDS += ["wrapped_flag BoolValue", "wrapped_text StringValue", "wrapped_float FloatValue"]
FIELDS += ["pause Duration", "at Timestamp", "conf Struct"]
FIELDS += ["first string?", "second Inner?", "third BytesValue?"]
WELL_KNOWN = {"Duration", "Timestamp", "Struct"}
LABELS = {"*": "repeated", "#": "map"}
# We refuse more than it does: what JSON could not tell, and numbers of more than 64 bits.
REFUSED_BY_US = {
    BinaryFault.OUT_OF_RANGE,
    BinaryFault.NOT_FINITE,
    BinaryFault.VARINT_TOO_LONG,
    BinaryFault.FIELD_NUMBER,
}


def fact(number: int, text: str) -> tuple[str, dict[str, Any]]:
    name, _, kind = text.partition(" ")
    type_name = kind.rstrip("*#?")
    known = type_name in WELL_KNOWN or type_name.endswith("Value")
    head, *rest = name.split("_")
    said = {
        "number": number,
        "type": f"google.protobuf.{type_name}" if known else type_name,
        "kind": "enum"
        if type_name == "Color"
        else "message"
        if type_name[0].isupper()
        else "scalar",
        "label": LABELS.get(kind[-1], "singular"),
        "json_name": head + "".join(map(str.title, rest)),
        "key": "string",
    }
    return name, said | ({"oneof": "choice"} if kind.endswith("?") else {})


@cache
def every_field() -> Any:
    inner = ["name string", "inner Inner", "names string*"]
    fields = {
        "Everything": dict(fact(number, text) for number, text in enumerate(FIELDS, 1)),
        "Inner": dict(fact(number, text) for number, text in enumerate(inner, 1)),
    }
    runtime = Runtime(fields, {"Color": {"RED": 0, "GREEN": 1}})
    return runtime.message("Everything")


@cache
def kuma() -> tuple[Runtime, dict[str, str]]:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    facts = json.loads((folder / "contract/reference/kuma-protos.json").read_text())
    specs = {name: row["spec"] for name, row in facts["resource_types"].items()}
    return Runtime(facts["messages"], facts["enums"]), specs


@unhurried
@given(messages())
def test_it_reads_in_our_bytes_what_our_json_says(message: Everything) -> None:
    data = encode(message)
    theirs = every_field().FromString(data)
    # Its names of an enum's values are others, so they go by number.
    document = write_message(message) | {"colors": [int(each) for each in message.colors]}
    document["color"] = int(message.color)
    expected = json_format.ParseDict(document, every_field()())
    assert theirs == expected
    assert len(theirs.SerializeToString(deterministic=True)) == len(data)


@unhurried
@given(messages(), st.data())
def test_what_we_take_it_takes_and_we_refuse_little_else(
    message: Everything, data: st.DataObject
) -> None:
    damaged = bytearray(encode(message) or b"\x00")
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(Everything, bytes(damaged))
    except BinaryError as error:
        if error.fault not in REFUSED_BY_US:
            with pytest.raises(DecodeError):
                every_field().FromString(bytes(damaged))
        return
    every_field().FromString(bytes(damaged))
    every_field().FromString(encode(found))


def test_each_resource_of_the_suites_has_the_bytes_that_it_writes() -> None:
    runtime, specs = kuma()
    count = 0
    for _, document in resources():
        name = str(document.get("type"))
        kind = KINDS.get(name)
        if not isinstance(kind, ProtoKind) or name not in specs:
            continue
        data = encode(kind.parse(document))
        theirs = runtime.message(specs[name]).FromString(data)
        assert theirs.SerializeToString(deterministic=True) == data, document
        theirs.DiscardUnknownFields()
        assert theirs.SerializeToString(deterministic=True) == data, document
        count += 1
    assert count > 500
