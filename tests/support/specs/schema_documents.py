"""Bodies that fit a schema, and bodies that fit nothing: for properties over all plugin kinds."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

from kong_mesh_cp.core.formats.durations import format_duration
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.schema.record_nodes import (
    AnythingNode,
    ListNode,
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
from kong_mesh_cp.core.schema.records import record

Json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def bodies(kind: PluginKind[Any]) -> st.SearchStrategy[dict[str, object]]:
    """Whole bodies that the schema of `kind` takes."""
    spec = values(record(kind.spec_type))
    return spec.map(lambda value: {"type": kind.type, "name": "n", "mesh": "m", "spec": value})


def values(node: Node) -> st.SearchStrategy[Any]:
    match node:
        case RecordNode():
            return _records(node)
        case ListNode():
            low = node.length.minimum or 0
            high = 2 if node.length.maximum is None else min(node.length.maximum, 2)
            return st.lists(values(node.items), min_size=low, max_size=max(low, high))
        case TextNode():
            return _texts(node)
        case IntegerNode():
            return _integers(node)
        case BooleanNode():
            return st.booleans()
        case DurationNode():
            return st.integers(-(10**12), 10**14).map(format_duration)
        case NumberOrTextNode():
            return st.integers(-5, 200) | st.decimals(-1, 200, places=2).map(str)
        case TextMapNode():
            return st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)
        case AnythingNode():
            return Json.filter(lambda value: value is not None)
        case _:
            raise TypeError(node)


def _records(node: RecordNode) -> st.SearchStrategy[Any]:
    required = {m.name: values(m.node) for m in node.members if m.default is None}
    optional = {m.name: values(m.node) for m in node.members if m.default is not None}
    return st.fixed_dictionaries(required, optional=optional)


def _texts(node: TextNode) -> st.SearchStrategy[str]:
    if node.enumeration is not None:
        return st.sampled_from([str(value) for value in node.enumeration.values])
    if node.format == "byte":
        return st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode())
    if node.pattern is not None:
        return st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
    return st.text(min_size=node.length.minimum or 0, max_size=8)


def _integers(node: IntegerNode) -> st.SearchStrategy[int]:
    if node.enumeration is not None:
        return st.sampled_from([int(value) for value in node.enumeration.values])
    low = node.range.minimum if node.range.minimum is not None else 0 if node.is_unsigned else -9
    return st.integers(low, node.range.maximum or 2**31 - 1)
