"""What a document would change of another one, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Final

from kong_mesh_cp.core.formats.durations import DurationError, parse_duration
from kong_mesh_cp.core.schema.violations import ROOT, FieldPath
from kumactl.console import printable

VALUE_CHARACTERS_MAX: Final = 200  # of one value on a line


class Absent(Enum):
    """No value at all, which is not the same as null."""

    ABSENT = "(none)"


ABSENT: Final = Absent.ABSENT
Step = str | int  # a member of an object, or a position in a list


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is another one in the new document, or is in one of them only."""

    path: tuple[Step, ...]
    old: object
    new: object

    @property
    def line(self) -> str:
        """`constraints.requirements[0].tags.team: "*" -> "payments"`."""
        return f"{_shown_path(self.path)}: {_shown(self.old)} -> {_shown(self.new)}"


def changes(old: object, new: object) -> list[Change]:
    """What has to change for `old` to become `new`; empty when they are equal as JSON.

    Members come in the order of `new`, removed ones last; a list is compared by position.
    """
    return list(_changes((), old, new))


def _changes(path: tuple[Step, ...], old: object, new: object) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*new, *(key for key in old if key not in new)):
            yield from _changes((*path, key), old.get(key, ABSENT), new.get(key, ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        pairs = zip_longest(old, new, fillvalue=ABSENT)
        for position, (before, after) in enumerate(pairs):
            yield from _changes((*path, position), before, after)
    elif not _same(old, new):
        yield Change(path, old, new)


def _same(old: object, new: object) -> bool:
    # True == 1 for Python, not for JSON.
    return isinstance(old, bool) == isinstance(new, bool) and old == new


def without_equal_durations(found: list[Change]) -> list[Change]:
    """`found` without changes that only write a duration another way: `1h` for `1h0m0s`."""
    return [change for change in found if not _same_duration(change.old, change.new)]


def _same_duration(old: object, new: object) -> bool:
    if not isinstance(old, str) or not isinstance(new, str):
        return False
    try:
        return parse_duration(old) == parse_duration(new)
    except DurationError:
        return False


_PLAIN_MEMBER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _shown_path(path: tuple[Step, ...]) -> str:
    shown: FieldPath = ROOT
    for step in path:
        if isinstance(step, int):
            shown = shown.index(step)
        elif _PLAIN_MEMBER.fullmatch(step):
            shown = shown.field(step)
        else:
            shown = shown.key(step)
    return str(shown)


def _shown(value: object) -> str:
    if value is ABSENT:
        return ABSENT.value
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"
