"""Guards the license's clock, and decides when its evidence is written to disk."""

from __future__ import annotations

from datetime import datetime

from kong_mesh_cp.core.license import clock
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.usecases.ports.state_store import BootClock, WallClock

SAVE_AFTER_SECONDS = 60  # at most this much of what was seen is lost in a crash


class ClockGuard:
    """Watches the wall clock against CLOCK_BOOTTIME. Call `observe` every few seconds."""

    def __init__(
        self, *, wall: WallClock, boottime: BootClock, boot_id: str, mark: ClockMark | None
    ) -> None:
        self._wall = wall
        self._boottime = boottime
        self._boot_id = boot_id
        self._saved = mark
        self._mark = clock.observe(mark, wall=wall(), boottime_seconds=boottime(), boot_id=boot_id)

    def observe(self) -> None:
        self._mark = clock.observe(
            self._mark,
            wall=self._wall(),
            boottime_seconds=self._boottime(),
            boot_id=self._boot_id,
        )

    @property
    def now(self) -> datetime:
        """Aware, UTC: the wall clock, unless it was set back by more than a day."""
        return clock.effective_now(self._mark, self._wall())

    @property
    def latest(self) -> datetime:
        """The largest time believed so far, or the wall clock when that is later."""
        return max(self._mark.seen, self._wall())

    @property
    def boot_seconds(self) -> float:
        """For intervals: never goes back, whatever is done to the wall clock."""
        return self._boottime()

    @property
    def suspect(self) -> bool:
        return clock.suspect(self._mark, self._wall())

    @property
    def unsaved(self) -> ClockMark | None:
        """The mark to persist, when it says so much more than the one on disk that it is worth it.

        It stays due until `saved` is called, so a failing store is tried again.
        """
        old, new = self._saved, self._mark
        if old is None or old.boot_id != new.boot_id:
            return new
        advanced = (new.seen - old.seen).total_seconds()
        patience = abs(new.ahead_seconds - old.ahead_seconds)
        return new if max(advanced, patience) >= SAVE_AFTER_SECONDS else None

    def saved(self, mark: ClockMark) -> None:
        self._saved = mark
