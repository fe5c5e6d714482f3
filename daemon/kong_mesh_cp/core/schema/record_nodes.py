"""How the composite values of a record are read, checked and written: lists, maps, objects.

Reading goes on after a fault with the value that Go would have there, so that all faults of a
body are reported at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.record_faults import Faults, wrong_type
from kong_mesh_cp.core.schema.record_terms import Length
from kong_mesh_cp.core.schema.violations import FieldPath


class Node(Protocol):
    """How one value of a record is read, checked and written."""

    def read(self, value: object, at: FieldPath, faults: Faults) -> object: ...
    def zero(self) -> object:
        """What Go has where nothing is given."""

    def write(self, value: object) -> object: ...


@dataclass(frozen=True)
class AnythingNode:
    """Any JSON value, kept as it came."""

    def zero(self) -> None:
        return None

    def read(self, value: object, _at: FieldPath, _faults: Faults) -> object:
        return value

    def write(self, value: object) -> object:
        return value


@dataclass(frozen=True)
class ListNode:
    """A list whose items have one schema."""

    items: Node
    length: Length = field(default_factory=Length)

    def zero(self) -> tuple[object, ...]:
        return ()

    def read(self, value: object, at: FieldPath, faults: Faults) -> tuple[object, ...]:
        if not isinstance(value, list):
            faults.add(at, wrong_type("array", value))
            return ()
        low, high = self.length.minimum, self.length.maximum
        # Items before the length: the order in which the validator reports.
        items = tuple(self.items.read(v, at.index(i), faults) for i, v in enumerate(value))
        if low is not None and len(value) < low:
            faults.add(at, f"in body should have at least {low} items")
        if high is not None and len(value) > high:
            faults.add(at, f"in body should have at most {high} items")
        return items

    def write(self, value: object) -> object:
        return [self.items.write(v) for v in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class TextMapNode:
    """An object whose values are texts."""

    def zero(self) -> Mapping[str, str]:
        return {}

    def read(self, value: object, at: FieldPath, faults: Faults) -> Mapping[str, str]:
        if not isinstance(value, dict):
            faults.add(at, wrong_type("object", value))
            return {}
        # Each value is checked by itself, so that a fault names its key.
        return {k: _text_of_map(v, at.field(k), faults) for k, v in value.items()}

    def write(self, value: object) -> object:
        # Go writes maps with their keys in order.
        return dict(sorted(value.items())) if isinstance(value, dict) else value


def _text_of_map(value: object, at: FieldPath, faults: Faults) -> str:
    if isinstance(value, str):
        return value
    # YAML makes numbers and truths of words that were meant as tags and labels.
    is_word = isinstance(value, int | float)
    faults.add(at, wrong_type("string", value) + (": put it between quotes" if is_word else ""))
    return str(value) if is_word else ""


@dataclass(frozen=True)
class Member:
    """One field of a record; `default` makes the value of an absent one, None: it is required.

    `null_is_absent`: the schema itself has a default, and puts it in the place of a null too.
    """

    attribute: str
    name: str
    node: Node
    default: Callable[[], object] | None
    omit_empty: bool
    null_is_absent: bool
    former: str = ""  # the name it once had


@dataclass(frozen=True)
class RecordNode:
    """An object whose members are declared by a dataclass."""

    members: tuple[Member, ...]
    make: Callable[..., object]

    def zero(self) -> object:
        return self.make(**{m.attribute: _absent(m) for m in self.members})

    def read(self, value: object, at: FieldPath, faults: Faults) -> object:
        if not isinstance(value, dict):
            faults.add(at, wrong_type("object", value))
            return self.zero()
        return self.make(**self._attributes(value, at, faults))

    def _attributes(
        self, value: Mapping[str, object], at: FieldPath, faults: Faults
    ) -> dict[str, object]:
        # Only members that are declared are looked at: the schema allows others, and Go's decoder
        # ignores them.
        attributes: dict[str, object] = {}
        for member in self.members:
            given = value.get(member.name)
            # Most members of most records are absent, and need no path.
            if given is not None or (member.name in value and not member.null_is_absent):
                part = member.node.read(given, at.field(member.name), faults)
            elif member.default is None:
                faults.add(at.field(member.name), "in body is required")
                part = member.node.zero()
            else:
                part = member.default()
            attributes[member.attribute] = part
        return attributes

    def write(self, value: object) -> dict[str, object]:
        written: dict[str, object] = {}
        for member in self.members:
            part = getattr(value, member.attribute)
            # None is what was never given; Go's `omitempty` leaves out what is empty besides.
            if part is None or (member.omit_empty and not part):
                continue
            written[member.name] = member.node.write(part)
        return written


def _absent(member: Member) -> object:
    return member.node.zero() if member.default is None else member.default()
