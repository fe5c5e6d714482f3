"""Terms that annotate a field of a record: ranges, lengths, patterns, enumerations.

They stand in `Annotated[...]` of a frozen dataclass; `schema.py` reads, checks and renders by them.
A field whose default is None may be absent; any other default is the schema's own default and is
written into what is stored, as Kuma's API server does; no default means required.
"""

from __future__ import annotations

from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Json:
    """The field's name in JSON, where it is not the Python name in lower camel case."""

    name: str


@dataclass(frozen=True, slots=True)
class Formerly:
    """The name in JSON that the field once had. It is not read any more, but is still written."""

    name: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """The values of an enumeration, in the order in which a refusal lists them."""

    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """`int32` or `int64` of a number; `byte` (Base64) or `date-time` of a text."""

    name: str


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds of a number, both included."""

    # Both ends are part of the range, as in JSON Schema.
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Length:
    """Characters of a text, or items of a list."""

    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` is the expression as a refusal shows it (ECMA syntax, anchored by itself)."""

    text: str


class _Marker:
    """A term without parameters; it is compared by identity."""


DURATION: Final = _Marker()
NUMBER_OR_TEXT: Final = _Marker()
ANYTHING: Final = _Marker()
UNSIGNED: Final = _Marker()  # the schema takes a negative number, Go's decoder does not
OMIT_EMPTY: Final = _Marker()  # an empty value is not written, an absent one is read as empty
EMPTY_IF_ABSENT: Final = _Marker()  # a record that is always there, as a Go struct is

Int32 = Annotated[int, Format("int32")]
Unsigned32 = Annotated[int, Format("int32"), UNSIGNED]
Int64 = Annotated[int, Format("int64")]
Duration = Annotated[int, DURATION]  # nanoseconds; a Go duration in JSON
IntOrText = Annotated[int | str, NUMBER_OR_TEXT]  # a whole number, or a decimal one as text
AnyJson = Annotated[object, ANYTHING]
