"""Violations: everything that is wrong with a resource, each with the path of its field."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote

# More than are corrected in one go, and few enough for any answer.
VIOLATIONS_MAX: Final = 500  # that are reported of one body; more are not mended at a time


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with one field; `field` is its path in the body, "" for the whole body."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A path as clients see it: `networking.inbound[0].tags["kuma.io/service"]`."""

    text: str = ""

    def field(self, name: str) -> FieldPath:
        """The member `name`; it may hold dots of its own."""
        return FieldPath(f"{self.text}.{name}" if self.text else name)

    def missing(self, name: str) -> FieldPath:
        """The member `name`, which is not there: of a whole body, with a point before it."""
        return FieldPath(f"{self.text}.{name}")

    def index(self, position: int) -> FieldPath:
        return FieldPath(f"{self.text}[{position}]")

    def key(self, name: str) -> FieldPath:
        """The entry `name` of a map."""
        return FieldPath(f"{self.text}[{go_quote(name)}]")

    # The path is rendered only now: most checks find nothing.
    def violation(self, message: str) -> Violation:
        return Violation(self.text, message)

    def __str__(self) -> str:
        return self.text


ROOT = FieldPath()


def root(name: str) -> FieldPath:
    """The path of a top-level member."""
    return FieldPath(name)
