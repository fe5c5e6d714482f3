"""Faults that reading a record finds: schema violations, and what Go's decoder would stop at.

The texts are those of the schema validator that Kuma's API server uses; clients show them.
"""

from __future__ import annotations

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.schema.violations import ROOT, VIOLATIONS_MAX, FieldPath, Violation


class EnoughFaultsError(Exception):
    """More is wrong with a body than is ever reported: reading it may stop."""


class Faults:
    """What one reading found: schema violations, and what Go's decoder would stop at."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.stopped: ParseError | None = None  # the first such fault

    @property
    def undecodable(self) -> str:
        """The text of that fault; "" without one."""
        return "" if self.stopped is None else self.stopped.reason

    def add(self, at: FieldPath, text: str) -> None:
        """A path below the spec is reported as a field; all else is one text, as Kuma does it."""
        # The error of Kuma's validator is one text for all; its API server splits only lines that
        # begin so.
        if at.text.startswith("spec."):
            self.tell(Violation(at.text, text))
        else:
            self.tell(Violation("", f"{at.text} {text}"))

    def tell(self, violation: Violation) -> None:
        """Raises: EnoughFaultsError."""
        self.violations.append(violation)
        # A body of a MiB can have a fault in every few bytes, and the thousandth is of no use.
        if len(self.violations) > VIOLATIONS_MAX:
            raise EnoughFaultsError

    def stop_decoding(self, text: str, at: FieldPath = ROOT, advice: str = "") -> None:
        """`advice`: what is due at the path; see ParseError."""
        # Go's decoder stops at its first fault, so there is never a second one to show.
        if self.stopped is None:
            self.stopped = ParseError(text, advice).below(at.text)


def json_type(value: object) -> str:
    """The JSON type as the schema validator calls it; it sees every number as a float."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        # go-openapi's validator decodes numbers as float64, and calls both so.
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def wrong_type(expected: str, value: object) -> str:
    return f"in body must be of type {expected}: {go_quote(json_type(value))}"


def wrong_format(expected: str, value: object) -> str:
    # Where a format is due the validator compares formats, and only numbers have one.
    found = "float64" if json_type(value) == "number" else ""
    return f"in body must be of type {expected}: {go_quote(found)}"
