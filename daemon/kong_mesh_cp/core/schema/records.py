"""Frozen dataclasses as schemas of plugin types: JSON in, typed spec out, and back again.

Defaults are filled in before anything is judged, all violations are told at once, and members
that a schema does not know are ignored, as Go's decoder does.

Source: docs/wire/resource-api.md#schemas
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from kong_mesh_cp.core.schema.record_faults import Faults
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
from kong_mesh_cp.core.schema.record_terms import (
    ANYTHING,
    DURATION,
    EMPTY_IF_ABSENT,
    NUMBER_OR_TEXT,
    OMIT_EMPTY,
    UNSIGNED,
    Format,
    Formerly,
    Json,
    Length,
    OneOf,
    Pattern,
    Range,
)
from kong_mesh_cp.core.schema.violations import FieldPath

T = TypeVar("T")


def read(kind: type[T], value: object, at: FieldPath, faults: Faults) -> T:
    """`value` as a `kind`, a dataclass; what is wrong goes to `faults`.

    With faults the result is what Go would have made of the body, good for nothing but more
    checks. On any JSON value of bounded depth it raises nothing but EnoughFaultsError.
    """
    return cast("T", record(kind).read(value, at, faults))


def render(value: object) -> dict[str, object]:
    """The JSON object of a dataclass instance; members stand in the order of their declaration."""
    return record(type(value)).write(value)


def record(kind: Any) -> RecordNode:
    """The schema that a dataclass declares; of a generic one, with its parameters filled in."""
    return _record(kind)


@cache
def _record(kind: Any) -> RecordNode:
    origin = get_origin(kind) or kind
    bound = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=True))
    # Cached above, because this resolves every annotation of a class from its text.
    hints = get_type_hints(origin, include_extras=True)
    return RecordNode(tuple(_member(f, hints[f.name], bound) for f in fields(origin)), origin)


def _member(field: Field[Any], hint: object, bound: Mapping[Any, Any]) -> Member:
    inner, terms = _terms(hint)
    node = _node(bound.get(inner, inner), terms)
    names = [t.name for t in terms if isinstance(t, Json)]
    default = _default(field)
    # Null where the schema has a default is that default; where Go has the zero value it is a wrong
    # type, which the schema reports.
    by_go = EMPTY_IF_ABSENT in terms or OMIT_EMPTY in terms  # and not by the schema
    return Member(
        attribute=field.name,
        name=names[0] if names else _camel(field.name),
        node=node,
        default=node.zero if EMPTY_IF_ABSENT in terms else default,
        omit_empty=OMIT_EMPTY in terms,
        null_is_absent=not by_go and default is not None and default() is not None,
        former=next((t.name for t in terms if isinstance(t, Formerly)), ""),
    )


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory
    # No default at all: the schema asks for the member.
    if field.default is MISSING:
        return None
    # A function even for constants, so that both ways of dataclasses look alike to readers.
    value = field.default
    return lambda: value


def _camel(name: str) -> str:
    # `from_` is `from` in JSON: the underscore is there for Python's keyword.
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.title() for word in rest)


def _terms(hint: Any) -> tuple[Any, tuple[object, ...]]:
    """The bare type of `hint` and all terms said of it; `| None` says only that it may lack."""
    terms: tuple[object, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            terms += hint.__metadata__
            hint = hint.__origin__
        elif NUMBER_OR_TEXT not in terms and get_origin(hint) in {Union, types.UnionType}:
            (hint,) = (a for a in get_args(hint) if a is not type(None))
        else:
            return hint, terms


def _node(kind: Any, terms: tuple[object, ...]) -> Node:
    for marker, node in _MARKED:
        if marker in terms:
            return node
    if kind is bool:
        return BooleanNode()
    if kind is int:
        return IntegerNode(
            format=next((t.name for t in terms if isinstance(t, Format)), ""),
            range=next((t for t in terms if isinstance(t, Range)), Range()),
            enumeration=next((t for t in terms if isinstance(t, OneOf)), None),
            is_unsigned=UNSIGNED in terms,
        )
    if kind is str:
        return TextNode(
            enumeration=next((t for t in terms if isinstance(t, OneOf)), None),
            length=next((t for t in terms if isinstance(t, Length)), Length()),
            pattern=next((t for t in terms if isinstance(t, Pattern)), None),
            format=next((t.name for t in terms if isinstance(t, Format)), ""),
        )
    if get_origin(kind) is tuple:
        length = next((t for t in terms if isinstance(t, Length)), Length())
        return ListNode(_node(*_terms(get_args(kind)[0])), length)
    if get_origin(kind) is Mapping:
        return TextMapNode()
    if is_dataclass(get_origin(kind) or kind):
        return record(kind)
    raise TypeError(f"no schema for {kind!r}")


_MARKED: tuple[tuple[object, Node], ...] = (
    (DURATION, DurationNode()),
    (NUMBER_OR_TEXT, NumberOrTextNode()),
    (ANYTHING, AnythingNode()),
)
