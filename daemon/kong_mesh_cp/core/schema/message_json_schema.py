"""JSON Schemas of messages, in the one form that is written and always read.

Reading is more lenient (a number in a string, null for an absent member, names of fields as the
.proto file has them); a document of the API shows the one form that everything else becomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args, get_origin

from kong_mesh_cp.core.schema import message_scalars as scalars
from kong_mesh_cp.core.schema.json_schema import (
    DURATION,
    INT32,
    Definitions,
    Schema,
    class_name,
    description,
    integer,
)
from kong_mesh_cp.core.schema.messages import Message, MessageField, ProtoEnum, message_fields

# protobuf's JSON mapping has words for what JSON has no numbers for.
_FLOATING: Final[Schema] = {
    "anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}],
}
_SCALARS: Final[Mapping[object, Schema]] = {
    scalars.STRING: {"type": "string"},
    scalars.BOOL: {"type": "boolean"},
    scalars.DOUBLE: _FLOATING,
    scalars.FLOAT: _FLOATING,
    scalars.INT32: INT32,
    scalars.UINT32: integer(64, 0, 2**32 - 1),
    # Written as text, since many readers of JSON hold numbers as doubles and lose digits.
    scalars.UINT64: {"type": "string", "pattern": "^[0-9]{1,20}$"},
    scalars.BYTES: {"type": "string", "format": "byte"},
    scalars.DURATION: DURATION,
    scalars.TIMESTAMP: {"type": "string", "format": "date-time"},
    scalars.STRUCT: {"type": "object", "additionalProperties": True},
}


def message_schema(message_type: type[Message], definitions: Definitions) -> Schema:
    """A reference to the schema of a message."""

    def make() -> Schema:
        said = description(message_type)
        return {
            "type": "object",
            **({"description": said} if said else {}),
            "properties": message_properties(message_type, definitions),
        }

    return definitions.pointer(class_name(message_type), message_type, make)


def message_properties(message_type: type[Message], definitions: Definitions) -> Schema:
    """The members of a message, none of which has to be there."""
    # The JSON names only: snake_case names are read as well, but never written.
    fields = tuple(message_fields(message_type))
    # Collected first, because each member of a group names the others.
    groups: dict[str, list[str]] = {}
    for each in fields:
        if each.oneof:
            groups.setdefault(each.oneof, []).append(f"`{each.name}`")
    return {each.name: _field(each, groups.get(each.oneof, []), definitions) for each in fields}


def _field(field: MessageField, group: list[str], definitions: Definitions) -> Schema:
    schema = _value(field.hint, definitions)
    # JSON Schema could say it with `oneOf`, which few generators of clients understand.
    if len(group) > 1:
        schema = {**schema, "description": f"At most one of {', '.join(group)} is set."}
    return schema


def _value(hint: Any, definitions: Definitions) -> Schema:
    origin = get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": _value(get_args(hint)[0], definitions)}
    if origin is Mapping:
        values = _value(get_args(hint)[1], definitions)
        return {"type": "object", "additionalProperties": values}
    if isinstance(hint, type) and issubclass(hint, Message):
        return message_schema(hint, definitions)
    if isinstance(hint, type) and issubclass(hint, ProtoEnum):
        return _enum(hint, definitions)
    scalar = hint.__metadata__[0] if origin is Annotated else scalars.PLAIN[hint]
    # A type that is missing here fails the test of all kinds, not a request.
    return _SCALARS[scalar]


def _enum(enum: type[ProtoEnum], definitions: Definitions) -> Schema:
    def make() -> Schema:
        names = [each.name for each in enum]
        # proto3's enumerations are open: numbers of a newer version are kept, and have no name
        # here.
        number = {**INT32, "description": "A value without a name."}
        return {"description": description(enum), "anyOf": [{"enum": names}, number]}

    return definitions.pointer(class_name(enum), enum, make)
