"""The JSON Schemas of plugin types, from the nodes that read, check and write their values."""

from __future__ import annotations

from kong_mesh_cp.core.schema.json_schema import (
    DURATION,
    INT32,
    Definitions,
    Schema,
    class_name,
    description,
    integer,
)
from kong_mesh_cp.core.schema.record_nodes import (
    AnythingNode,
    ListNode,
    Member,
    Node,
    RecordNode,
    TextMapNode,
)
from kong_mesh_cp.core.schema.record_scalars import (
    BooleanNode,
    DurationNode,
    IntegerNode,
    NumberOrTextNode,
    TextNode,
)
from kong_mesh_cp.core.schema.record_terms import UNSIGNED_32_MAX, Length, OneOf


def record_schema(node: RecordNode, definitions: Definitions, name: str = "") -> Schema:
    """A reference to the schema of a record; the schema itself of one with parameters."""
    kind = node.make
    assert isinstance(kind, type)  # noqa: S101  # every record is made of a dataclass

    def make() -> Schema:
        return _record(node, description(kind), definitions)

    # An Entry of one conf is another schema than that of the next, under the same class.
    if getattr(kind, "__parameters__", ()):
        return make()
    return definitions.pointer(name or class_name(kind), node, make)


def _record(node: RecordNode, said: str, definitions: Definitions) -> Schema:
    # A member without a default in its dataclass is one that the schema asks for.
    required = [member.name for member in node.members if member.default is None]
    return {
        "type": "object",
        **({"description": said} if said else {}),
        "properties": {each.name: _member(each, definitions) for each in node.members},
        **({"required": required} if required else {}),
    }


def _member(member: Member, definitions: Definitions) -> Schema:
    schema = _node(member.node, definitions)
    # Only defaults of the schema, which are stored; Go's zero values are not written at all.
    if member.default is not None and member.null_is_absent:
        return {**schema, "default": member.node.write(member.default())}
    return schema


def _node(node: Node, definitions: Definitions) -> Schema:
    match node:
        case RecordNode():
            return record_schema(node, definitions)
        case ListNode():
            items = _node(node.items, definitions)
            return {"type": "array", "items": items, **_bounds(node.length, "Items")}
        case TextNode():
            return _text(node)
        case IntegerNode():
            return _integer(node)
        case NumberOrTextNode():
            # `x-kubernetes-int-or-string` in Kuma's schema.
            return {"anyOf": [INT32, {"type": "string"}]}
        case TextMapNode():
            return {"type": "object", "additionalProperties": {"type": "string"}}
        case BooleanNode():
            return {"type": "boolean"}
        case DurationNode():
            return DURATION
        case AnythingNode():
            return {}
        case _:
            raise TypeError(f"no schema for {node!r}")


def _text(node: TextNode) -> Schema:
    return {
        "type": "string",
        **_values(node.enumeration),
        **_bounds(node.length, "Length"),
        **({"pattern": node.pattern.text} if node.pattern else {}),
        **({"format": node.format} if node.format else {}),
    }


def _integer(node: IntegerNode) -> Schema:
    bits = 32 if node.format == "int32" and not node.is_unsigned else 64
    low, high = node.range.minimum, node.range.maximum
    # Kuma's schema has no bounds here and leaves them to Go's decoder; this one says them.
    if node.is_unsigned:
        low = 0 if low is None else low
        high = UNSIGNED_32_MAX if high is None else high
    return {**integer(bits, low, high), **_values(node.enumeration)}


def _values(enumeration: OneOf | None) -> Schema:
    return {} if enumeration is None else {"enum": list(enumeration.values)}


def _bounds(length: Length, of: str) -> Schema:
    bounds = {f"min{of}": length.minimum, f"max{of}": length.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}
