"""What is said of single values, wherever they stand (the generic texts of Kuma).

Every check takes the value and its path and yields nothing where the value is absent (None).

Source: docs/wire/policies.md#checks
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.formats.addresses import PORT_MAX
from kong_mesh_cp.core.formats.durations import format_duration
from kong_mesh_cp.core.formats.urls_and_paths import is_file_path
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

if TYPE_CHECKING:
    import decimal as decimals
else:
    decimals = lazy_import("decimal")

MUST_BE_DEFINED: Final = "must be defined"
MUST_NOT_BE_DEFINED: Final = "must not be defined"
MUST_NOT_BE_EMPTY: Final = "must not be empty"
NEEDS_AN_ITEM: Final = "needs at least one item"
GREATER_THAN_ZERO: Final = "must be greater than 0"
INVALID_PORT: Final = "port must be a valid (1-65535)"


DNS_LABEL_CHARACTERS_MAX: Final = 63


def label_name(name: str) -> Iterator[Violation]:
    """Of a resource whose name becomes a part of host names."""
    if len(name) > DNS_LABEL_CHARACTERS_MAX:
        yield Violation("name", f"must not be longer than {DNS_LABEL_CHARACTERS_MAX} characters")


def at_least_one_of(*names: str) -> str:
    return f"must have at least one defined: {', '.join(names)}"


def only_one_of(entity: str, *names: str) -> str:
    return f"{entity} must have only one type defined: {', '.join(names)}"


def exactly_one_of(entity: str, *names: str) -> str:
    return f"{entity} must have exactly one defined: {', '.join(names)}"


def must_be_one_of(name: str, values: Sequence[str]) -> str:
    quoted = ", ".join(f'"{value}"' for value in values)
    return f'"{name}" must be one of [{quoted}]'


# Absent values are valid everywhere: whether something has to be there is the caller's question.
def not_negative(value: int | None, at: FieldPath) -> Iterator[Violation]:
    if value is not None and value < 0:
        yield at.violation("must not be negative when defined")


# The text says "zero", that of the next one "0": two functions of Kuma, and clients know both.
def positive(value: int | None, at: FieldPath) -> Iterator[Violation]:
    """Of durations and signed numbers."""
    if value is not None and value <= 0:
        yield at.violation("must be greater than zero when defined")


def greater_than_zero(value: int | None, at: FieldPath) -> Iterator[Violation]:
    """Of unsigned numbers."""
    if value is not None and value <= 0:
        yield at.violation(GREATER_THAN_ZERO)


def longer_than(value: int, minimum: int, at: FieldPath) -> Iterator[Violation]:
    """Of a duration that is never absent; both in nanoseconds."""
    if value <= minimum:
        yield at.violation(f"must be greater than: {format_duration(minimum)}")


def whole_percentage(value: int | None, at: FieldPath) -> Iterator[Violation]:
    if value is not None and not 0 <= value <= 100:
        yield at.violation("must be in inclusive range [0, 100]")


def percentage(
    value: int | str | None, at: FieldPath, *, zero_allowed: bool = True
) -> Iterator[Violation]:
    if value is None:
        return
    number = decimal(value)
    if number is None:
        yield at.violation("string must be a valid number")
    elif not 0 <= number <= 100:
        yield at.violation("must be in inclusive range [0.0, 100.0]")
    elif number == 0 and not zero_allowed:
        yield at.violation(GREATER_THAN_ZERO)


def at_least(value: int | str | None, minimum: int, at: FieldPath) -> Iterator[Violation]:
    if value is None:
        return
    number = decimal(value)
    if number is None:
        yield at.violation("string must be a valid number")
    elif number < minimum:
        # The spelling is Kuma's.
        yield at.violation(f"must be greater or equal then: {minimum}")


def status_code(value: int, at: FieldPath) -> Iterator[Violation]:
    # The range of RFC 9110, section 15, wherever a policy answers by itself.
    if not 100 <= value <= 599:
        yield at.violation("must be in inclusive range [100, 599]")


def port(value: int | None, at: FieldPath) -> Iterator[Violation]:
    # 0 is "any port" to a socket and means nothing to a peer.
    if value is not None and not 1 <= value <= PORT_MAX:
        yield at.violation(INVALID_PORT)


def file_path(value: str | None, at: FieldPath) -> Iterator[Violation]:
    if value is not None and not is_file_path(value):
        yield at.violation("must be a valid path when defined")


# Kuma's expression: `k` or `kk`, an optional space, and no number at all are taken as well.
_BANDWIDTH: Final = re.compile(r"[0-9]*\s?[GMk]+bps", re.ASCII)


def bandwidth(value: str, at: FieldPath) -> Iterator[Violation]:
    if not value:
        yield at.violation(MUST_BE_DEFINED)
    elif not _BANDWIDTH.fullmatch(value):
        yield at.violation("must be in kbps/Mbps/Gbps units")


# A longer text is no number that is meant, and Decimal would take its time for it.
DECIMAL_CHARACTERS_MAX: Final = 64
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")


def decimal(value: int | str) -> decimals.Decimal | None:
    """`value`, a whole number or a decimal one as text; None where it is no number."""
    text = str(value)
    # Go's decimal package takes the same form; infinity and not-a-number are none in it.
    if len(text) > DECIMAL_CHARACTERS_MAX or not _DECIMAL.fullmatch(text):
        return None
    # Only a few checks need it, and an idle control plane has no use for a third of a MiB.
    return decimals.Decimal(text)
