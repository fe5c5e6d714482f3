"""trial.json and clock.json: the two facts that must outlive the store, kept beside it.

A store that is damaged or removed must neither restart the trial nor revive an expired license.
So the state directory holds both facts a second time; of two trial starts the earlier counts, of
two clock marks the one that has seen the later time.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.formats.strict_json import StrictJsonError, parse
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store.failures import directory_failure, reason, unreadable
from kong_mesh_cp.shell.store.files import SMALL_FILE_BYTES_MAX, read_file, replace_file
from kong_mesh_cp.shell.store.rows import instant, instant_text
from kong_mesh_cp.usecases.ports.state_store import Remembered

FORMAT_VERSION = 1

T = TypeVar("T")


class _BrokenCopyError(Exception):
    """A copy holds something that no release of this program writes."""


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies in one state directory."""

    directory: Path

    def save_trial_start(self, at: datetime) -> None:
        """Raises: StateError. Blocks for two fsyncs, as `save_clock` does."""
        self._save("trial.json", {"started_at": instant_text(at)})

    def save_clock(self, mark: ClockMark) -> None:
        self._save(
            "clock.json",
            {
                "seen": instant_text(mark.seen),
                "boot_id": mark.boot_id,
                "boottime_seconds": mark.boottime_seconds,
                "ahead_seconds": mark.ahead_seconds,
                "lead_seconds": mark.lead_seconds,
            },
        )

    def lacks(self, past: Remembered) -> bool:
        """Whether a fact of `past` has no file here."""
        facts = {"trial.json": past.trial_started_at, "clock.json": past.clock}
        return any(fact and not self._is_file(name) for name, fact in facts.items())

    def are_files(self) -> bool:
        """Whether both are there."""
        return self._is_file("trial.json") and self._is_file("clock.json")

    def _is_file(self, name: str) -> bool:
        try:
            return stat.S_ISREG((self.directory / name).lstat().st_mode)
        except OSError:
            return False

    def read(self) -> Remembered:
        """What the copies say. A broken one is a remark: the store may still know the fact.

        Raises: StateError `state-unreadable` when this user may not read them.
        """
        trial, trial_remarks = self._load("trial.json", _trial_start)
        clock, clock_remarks = self._load("clock.json", _clock)
        return Remembered(
            trial_started_at=trial,
            clock=clock,
            high_water={},
            remarks=trial_remarks + clock_remarks,
        )

    def _save(self, name: str, fields: dict[str, str | float]) -> None:
        path = self.directory / name
        try:
            replace_file(
                path, dumps({"version": FORMAT_VERSION, **fields}, indent=1).encode() + b"\n"
            )
        except OSError as error:
            raise directory_failure(error, path) from error

    def _load(
        self, name: str, fact: Callable[[dict[str, object]], T]
    ) -> tuple[T | None, tuple[str, ...]]:
        path = self.directory / name
        try:
            content = read_file(path)
            return (None if content is None else fact(_fields(content))), ()
        except PermissionError as error:
            raise unreadable(printable(path), reason(error)) from error
        except OSError as error:
            return None, (_remark(path, reason(error)),)
        except (StrictJsonError, _BrokenCopyError) as error:
            return None, (_remark(path, str(error)),)


def merged(store: Remembered, copies: Remembered) -> Remembered:
    """One past of two: the earlier trial start, the clock mark that has seen more."""
    starts = [at for at in (store.trial_started_at, copies.trial_started_at) if at is not None]
    marks = [mark for mark in (store.clock, copies.clock) if mark is not None]
    return replace(
        store,
        trial_started_at=min(starts, default=None),
        clock=max(marks, key=lambda mark: mark.seen, default=None),
        remarks=store.remarks + copies.remarks,
    )


def _remark(path: Path, problem: str) -> str:
    return (
        f"state-copy-broken: {printable(path)} is not usable: {printable(problem)}."
        " It is written anew from what else is known; without that, its fact starts over."
    )


def _fields(content: bytes) -> dict[str, object]:
    if len(content) > SMALL_FILE_BYTES_MAX:
        raise _BrokenCopyError(f"it is larger than {SMALL_FILE_BYTES_MAX} bytes")
    fields = parse(content)
    if not isinstance(fields, dict):
        raise _BrokenCopyError("it is not a JSON object")
    if fields.get("version") != FORMAT_VERSION:
        raise _BrokenCopyError(f"its version is not {FORMAT_VERSION}")
    return fields


def _trial_start(fields: dict[str, object]) -> datetime:
    return _instant(fields, "started_at")


def _clock(fields: dict[str, object]) -> ClockMark:
    return ClockMark(
        seen=_instant(fields, "seen"),
        boot_id=_text(fields, "boot_id"),
        boottime_seconds=_number(fields, "boottime_seconds"),
        ahead_seconds=_number(fields, "ahead_seconds"),
        lead_seconds=_number(fields, "lead_seconds"),
    )


def _instant(fields: dict[str, object], name: str) -> datetime:
    try:
        return instant(_text(fields, name))
    except ValueError as error:
        raise _BrokenCopyError(f"{name} is not an instant") from error


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _BrokenCopyError(f"{name} is missing or not text")
    return value


def _number(fields: dict[str, object], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _BrokenCopyError(f"{name} is missing or not a number")
    return float(value)
