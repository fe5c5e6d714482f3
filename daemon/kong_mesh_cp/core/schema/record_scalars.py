"""How single JSON values of a record are read, checked and written: texts, numbers, durations.

A value that is wrong is reported and read as the value that Go would have there, so that all
faults of a body are reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Final, TypeGuard

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import DurationError, format_duration, parse_duration
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.schema.record_faults import Faults, wrong_format, wrong_type
from kong_mesh_cp.core.schema.record_terms import (
    UNSIGNED_32_MAX,
    Length,
    OneOf,
    Pattern,
    Range,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

_WITH_UNIT: Final = 'write it with its unit, between quotes, as "5s"'
# JSON has one kind of number: beyond this a float has no digits for the ones, and no validator
# takes it for a whole number.
_WHOLE_MAX: Final = 2**53 - 1
_GO_RANGES: Final = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, UNSIGNED_32_MAX)}


def _check_enumeration(terms: OneOf | None, value: object, at: FieldPath, faults: Faults) -> None:
    # Also asked of a value of the wrong type: the validator runs all of its checks, and reports
    # both.
    if terms is not None and value not in terms.values:
        shown = " ".join(str(v) for v in terms.values)
        faults.add(at, f"in body should be one of [{shown}]")


@dataclass(frozen=True)
class TextNode:
    """A text."""

    enumeration: OneOf | None = None
    length: Length = field(default_factory=Length)
    pattern: Pattern | None = None
    format: str = ""

    @cached_property
    def _expression(self) -> re.Pattern[str] | None:
        if self.pattern is None:
            return None
        # `$` of Go is the very end; in Python it would also be before a final newline.
        return re.compile(re.sub(r"\$$", r"\\Z", self.pattern.text))

    def zero(self) -> str:
        return ""

    def read(self, value: object, at: FieldPath, faults: Faults) -> str:
        text = value if isinstance(value, str) else None
        if text is None:
            self._type_fault(value, at, faults)
        _check_enumeration(self.enumeration, value, at, faults)
        if text is None:
            # Good for further checks only: with a fault the result is never stored.
            return str(value) if isinstance(value, int | float) else ""
        self._check_text(text, at, faults)
        return text

    def _type_fault(self, value: object, at: FieldPath, faults: Faults) -> None:
        if not self.format or value is None:
            faults.add(at, wrong_type("string", value))
        elif isinstance(value, list):
            # The schema lets a list pass where a text has a format; Go's decoder does not.
            reason = "json: cannot unmarshal array into Go value of type string"
            faults.stop_decoding(reason, at, "must be a text, and is a list: write one text")
        else:
            faults.add(at, wrong_format(self.format, value))

    def _check_text(self, text: str, at: FieldPath, faults: Faults) -> None:
        low, high = self.length.minimum, self.length.maximum
        # Characters, as go-openapi counts runes and not bytes.
        if low is not None and len(text) < low:
            faults.add(at, f"in body should be at least {low} chars long")
        elif high is not None and len(text) > high:
            faults.add(at, f"in body should be at most {high} chars long")
        elif self.pattern is not None and self._expression and not self._expression.search(text):
            faults.add(at, f"in body should match '{self.pattern.text}'")
        # Last, in the order of the validator's own chain.
        if self.format and not _FORMATS[self.format](text):
            faults.add(at, f"in body must be of type {self.format}: {go_quote(text)}")

    def write(self, value: object) -> object:
        return value


# Of one byte at least.
_BASE64: Final = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|(?<=[A-Za-z0-9+/]{4}))"
)


def _is_base64(text: str) -> bool:
    return _BASE64.fullmatch(text) is not None


_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])[Tt ]"
    r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _is_date_time(text: str) -> bool:
    return _DATE_TIME.fullmatch(text) is not None


_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "byte": _is_base64,
    "date-time": _is_date_time,
}


@dataclass(frozen=True)
class IntegerNode:
    """A whole number, within what its format and its range allow."""

    format: str = ""
    range: Range = field(default_factory=Range)
    enumeration: OneOf | None = None
    is_unsigned: bool = False
    owner: str = ""  # what Go calls the object that it is a member of

    def zero(self) -> int:
        return 0

    def read(self, value: object, at: FieldPath, faults: Faults) -> int:
        number = _whole(value)
        if number is None:
            faults.add(at, self._type_fault(value))
        _check_enumeration(self.enumeration, value if number is None else number, at, faults)
        if _is_number(value):
            self._check_range(value, at, faults)
        if number is None:
            return 0
        # The schema has no such bounds; Go's decoder finds them.
        type_name = "uint32" if self.is_unsigned else self.format
        least, most = _GO_RANGES.get(type_name, (number, number))
        if not least <= number <= most:
            reason = _out_of_range(number, type_name, self.owner, at)
            faults.stop_decoding(reason, at, f"must be from {least} to {most}")
        return number

    def _check_range(self, value: float, at: FieldPath, faults: Faults) -> None:
        # Also of a number that is not whole: it breaks both rules.
        low, high = self.range.minimum, self.range.maximum
        if low is not None and value < low:
            faults.add(at, f"in body should be greater than or equal to {low}")
        if high is not None and value > high:
            faults.add(at, f"in body should be less than or equal to {high}")

    def _type_fault(self, value: object) -> str:
        if self.format and value is not None and not isinstance(value, str | list):
            return wrong_format(self.format, value)
        return wrong_type("integer", value)

    def write(self, value: object) -> object:
        return value


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> int | None:
    if not _is_number(value):
        return None
    # `1.0` is a whole number to the schema, and to Go's decoder after the default is applied.
    return int(value) if abs(value) <= _WHOLE_MAX and value == value // 1 else None


_PLACE: Final = re.compile(r"\[[0-9]+\]")


def _out_of_range(number: int, type_name: str, owner: str, at: FieldPath) -> str:
    # Go names members without the places in their lists.
    field = f"{owner}.{_PLACE.sub('', at.text)}"
    return (
        f"json: cannot unmarshal number {number} into Go struct field {field} of type {type_name}"
    )


@dataclass(frozen=True)
class BooleanNode:
    """True or false."""

    def zero(self) -> bool:
        return False

    def read(self, value: object, at: FieldPath, faults: Faults) -> bool:
        if isinstance(value, bool):
            return value
        faults.add(at, wrong_type("boolean", value))
        return False

    def write(self, value: object) -> object:
        return value


@dataclass(frozen=True)
class DurationNode:
    """A Go duration, kept in nanoseconds and written anew (`90s` becomes `1m30s`)."""

    def zero(self) -> int:
        return 0

    def read(self, value: object, at: FieldPath, faults: Faults) -> int:
        if not isinstance(value, str):
            faults.add(at, f"{wrong_type('string', value)}: {_WITH_UNIT}")
            return 0
        try:
            return parse_duration(value)
        except DurationError as error:
            # The schema knows only that it is a text; what a duration is Go's decoder decides.
            faults.stop_decoding(str(error), at, f"must be a duration: {_WITH_UNIT}")
            return 0

    def write(self, value: object) -> object:
        return format_duration(value) if isinstance(value, int) else value


@dataclass(frozen=True)
class NumberOrTextNode:
    """Kubernetes' IntOrString: a whole number, or any number as text.

    `null`: what a null is read as, which its schema lets pass where every other asks for a value.
    """

    null: int | None = 0
    owner: str = ""  # as of an IntegerNode

    def zero(self) -> int:
        return 0

    def read(self, value: object, at: FieldPath, faults: Faults) -> int | str | None:
        if value is None:
            return self.null
        if isinstance(value, str):
            return value
        number = _whole(value)
        if number is None:
            # Two texts for one fault, as the validator gives one for `anyOf` and one for the last
            # branch.
            text = f'"{at.text}" must validate at least one schema (anyOf)'
            faults.tell(Violation("", text))
            faults.add(at, wrong_type("integer", value))
            return 0
        low, high = _GO_RANGES["int32"]
        if not low <= number <= high:
            reason = _out_of_range(number, "int32", self.owner, at)
            faults.stop_decoding(reason, at, f"must be from {low} to {high}")
            return 0
        return number

    def write(self, value: object) -> object:
        return value
