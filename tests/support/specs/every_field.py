"""One message with a field of every sort, and strategies for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.messages import (
    EMPTY,
    Bytes,
    Duration,
    Float,
    Int32,
    Message,
    ProtoEnum,
    Struct,
    Timestamp,
    Uint32,
    Uint64,
    oneof,
    proto,
    read_message,
)

# For tests that draw messages: a busy machine takes its time for them.
unhurried = settings(suppress_health_check=[HealthCheck.too_slow])


class Color(ProtoEnum):
    """An enum of the tests."""

    __proto_name__ = "kuma.test.Color"
    RED = 0
    GREEN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Message):
    name: str = proto("", number=1)
    inner: Inner | None = proto(number=2)
    names: tuple[str, ...] = proto((), number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Message):
    """Declared in another order than that of its numbers, which is the order of its bytes."""

    count: Uint32 = proto(0, number=4)
    text: str = proto("", number=1)
    flag: bool = proto(default=False, number=2)
    ratio: float = proto(0.0, number=3)
    big_count: Uint64 = proto(0, number=5)
    delta: Int32 = proto(0, number=6)
    color: Color = proto(Color.RED, number=7)
    data: Bytes = proto(b"", number=8)
    inner: Inner | None = proto(number=9)
    items: tuple[Inner, ...] = proto((), number=10)
    names: tuple[str, ...] = proto((), number=11)
    counts: tuple[Uint32, ...] = proto((), number=12)
    colors: tuple[Color, ...] = proto((), number=13)
    ratios: tuple[float, ...] = proto((), number=14)
    statuses: tuple[Uint32, ...] = proto((), number=15, wrapped=True)
    tags: Mapping[str, str] = proto(EMPTY, number=16)
    inners: Mapping[str, Inner] = proto(EMPTY, number=17)
    totals: Mapping[str, Uint32] = proto(EMPTY, number=18)
    wrapped_flag: bool | None = proto(number=19)
    wrapped_text: str | None = proto(number=20)
    wrapped_float: Float | None = proto(number=21)
    pause: Duration | None = proto(number=22)
    at: Timestamp | None = proto(number=23)
    conf: Struct | None = proto(number=24)
    first: str | None = oneof("choice", number=25)
    second: Inner | None = oneof("choice", number=26)
    third: Bytes | None = oneof("choice", number=27, wrapped=True)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_UINT32 = st.integers(0, 2**32 - 1)
_COLORS = st.one_of(st.sampled_from(Color), st.integers(-(2**31), 2**31 - 1).map(Color))
# JSON has no minus zero here: it is written as 0.
_DOUBLES = st.floats(allow_nan=False).map(lambda number: number + 0.0)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e6, 1e6) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def inners() -> st.SearchStrategy[Inner]:
    plain = st.builds(Inner, name=_TEXTS, names=st.lists(_TEXTS, max_size=2).map(tuple))
    return st.recursive(plain, lambda inner: st.builds(Inner, name=_TEXTS, inner=inner))


def messages() -> st.SearchStrategy[Everything]:
    """Messages as they come from JSON, with any of their fields."""
    chosen: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.just({}),
        _TEXTS.map(lambda text: {"first": text}),
        inners().map(lambda inner: {"second": inner}),
        st.binary(max_size=3).map(lambda data: {"third": data}),
    )
    fields = {
        "text": _TEXTS,
        "flag": st.booleans(),
        "ratio": _DOUBLES,
        "count": _UINT32,
        "big_count": st.integers(0, 2**64 - 1),
        "delta": st.integers(-(2**31), 2**31 - 1),
        "color": _COLORS,
        "data": st.binary(max_size=5),
        "inner": inners(),
        "items": st.lists(inners(), max_size=3).map(tuple),
        "names": st.lists(_TEXTS, max_size=3).map(tuple),
        "counts": st.lists(_UINT32, max_size=3).map(tuple),
        "colors": st.lists(_COLORS, max_size=3).map(tuple),
        "ratios": st.lists(_DOUBLES, max_size=3).map(tuple),
        "statuses": st.lists(_UINT32, max_size=3).map(tuple),
        "tags": st.dictionaries(_TEXTS, _TEXTS, max_size=3),
        "inners": st.dictionaries(_TEXTS, inners(), max_size=3),
        "totals": st.dictionaries(_TEXTS, _UINT32, max_size=3),
        "wrapped_flag": st.booleans(),
        "wrapped_text": _TEXTS,
        "wrapped_float": st.floats(width=32, allow_nan=False).map(_as_read),
        "pause": st.integers(-(2**63), 2**63 - 1),
        "at": st.integers(-62135596800 * 10**9, 253402300800 * 10**9 - 1),
        "conf": st.dictionaries(_TEXTS, _JSON, max_size=3).map(_struct_as_read),
    }
    return st.builds(
        lambda given, choice: Everything(**given, **choice),
        st.fixed_dictionaries({}, optional=fields),
        chosen,
    )


def _as_read(value: float) -> float:
    given = value + 0.0 if abs(value) < float("inf") else ("Infinity" if value > 0 else "-Infinity")
    read = read_message(Everything, {"wrappedFloat": given}).wrapped_float
    assert read is not None
    return read


def _struct_as_read(value: dict[str, Any]) -> Mapping[str, Any]:
    read = read_message(Everything, {"conf": value}).conf
    assert read is not None
    return read
