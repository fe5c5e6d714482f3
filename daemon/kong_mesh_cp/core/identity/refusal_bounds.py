"""Bounds on logged refusals: no client can fill the log, or go unnoticed in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

WINDOW_SECONDS: Final = 60.0  # begins with the first refusal after the window before
SOURCES_MAX: Final = 1024  # counted apart; the others are counted together
SOURCES_NAMED_MAX: Final = 5  # in the line about what was not logged


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where one asks, and how many lines its refusals may have in a window."""

    name: str
    source_lines_max: int
    lines_max: int  # of all sources


API: Final = Door(name="at the API", source_lines_max=5, lines_max=60)
# Many proxies of one user may be turned away for a reason of their own each.
ADMISSIONS: Final = Door(name="at the admission socket", source_lines_max=30, lines_max=120)
# Many proxies of one machine have one address.
STREAMS: Final = Door(name="on the streams of proxies", source_lines_max=30, lines_max=120)


@dataclass(frozen=True, slots=True)
class Untold:
    """What a window has left out: how many in all, and by whom the most."""

    door: Door
    count: int
    most: Sequence[tuple[str, int]]

    def line(self) -> str:
        named = [f"{count} from {source}" for source, count in self.most]
        rest = self.count - sum(count for _, count in self.most)
        others = [f"{rest} from others"] if rest else []
        what = f"{self.count} more {self.door.name} within {WINDOW_SECONDS:.0f} s"
        return f"audit-refusals-untold: {what}: {', '.join([*named, *others])}"


class RefusalBounds:
    """A share of the lines for each source, and a bound over all.

    A source that tries slowly is logged each time; one that tries fast is logged a few times, then
    counted; a window that left something out ends with one line about it.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._ends: float | None = None
        self._told: Counter[str] = Counter()
        self._lines = 0
        self._untold: Counter[str] = Counter()
        self._uncounted = 0

    def take(self, source: str, now: float) -> bool:
        """Count a refusal at `now` (seconds of a clock that never goes back). Whether to tell it.

        Ask for `untold` first, with the same `now`.
        """
        if self._ends is None:
            self._ends = now + WINDOW_SECONDS
        door = self._door
        if self._lines < door.lines_max and self._told[source] < door.source_lines_max:
            self._told[source] += 1
            self._lines += 1
            return True
        if source in self._untold or len(self._untold) < SOURCES_MAX:
            self._untold[source] += 1
        else:
            self._uncounted += 1
        return False

    def untold(self, now: float, *, at_once: bool = False) -> Untold | None:
        """When the window has ended (or `at_once`): what it left out. The next one begins anew."""
        if self._ends is None or (now < self._ends and not at_once):
            return None
        count = self._untold.total() + self._uncounted
        most = self._untold.most_common(SOURCES_NAMED_MAX)
        self._ends, self._lines, self._uncounted = None, 0, 0
        self._told.clear()
        self._untold.clear()
        return Untold(self._door, count, most) if count else None
