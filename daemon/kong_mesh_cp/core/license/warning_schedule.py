"""When a warning about the license is said again, and when that it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime, timedelta

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license.warnings import LicenseWarning

OVER_LIMIT_SECONDS = 3600  # at most one line an hour, however often the count crosses the limit
CLOCK_SUSPECT_SECONDS = 24 * 3600

_TERM = "term"
_SUBJECTS = {"expires-soon": _TERM, "expired": _TERM}  # one condition that gets worse
_INTERVALS = {"over-limit": OVER_LIMIT_SECONDS, "clock-suspect": CLOCK_SUSPECT_SECONDS}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to log and to tell: a condition that holds, or (`cleared`) no longer does."""

    code: str
    message: str
    cleared: bool = False


def signed_days(expires_at: datetime, now: datetime) -> int:
    """Whole days until `expires_at`, rounded down; negative after it, so that each day differs."""
    return (expires_at - now) // timedelta(days=1)


@dataclass(slots=True)
class _Said:
    code: str
    message: str
    at_seconds: float
    days: int | None  # None: any number is news
    holds: bool = True  # no line has said since that it is over

    def same_day(self, days: int) -> bool:
        """A day more is the clock being corrected around midnight, not news."""
        return self.days is not None and self.days <= days <= self.days + 1


@dataclass(slots=True)
class WarningSchedule:
    """Remembers what was said. Pure of clocks: callers tell the time.

    The end of the license is logged at start, then once for each day that begins. Over the limit:
    on crossing, then hourly. A clock not believed: daily. All else: once for each wording. What was
    logged is logged as over once.
    """

    _said: dict[str, _Said] = field(default_factory=dict)
    _since: dict[str, datetime] = field(default_factory=dict)

    def observe(
        self,
        warnings: Sequence[LicenseWarning],
        *,
        days: int,
        now: datetime,
        boot_seconds: float,
        otherwise: str,
    ) -> tuple[Notice, ...]:
        """What is to be said now that `warnings` are all that holds; `days` as `signed_days`.

        `otherwise` is the sentence for conditions that are over.
        """
        codes = {warning.code for warning in warnings}
        self._since = {code: self._since.get(code, now) for code in codes}
        notices = self._cleared({_SUBJECTS.get(code, code) for code in codes}, days, otherwise)
        for warning in warnings:
            subject = _SUBJECTS.get(warning.code, warning.code)
            if self._is_due(subject, warning, days, boot_seconds):
                self._said[subject] = _Said(warning.code, warning.message, boot_seconds, days)
                notices.append(Notice(warning.code, warning.message))
        return tuple(notices)

    def since(self, code: str, now: datetime) -> datetime:
        """Since when the condition holds; `now` for one that is new."""
        return self._since.get(code, now)

    def license_changed(self) -> None:
        """Another license is in force: its end is news, whatever was said about the old one."""
        if _TERM in self._said:
            self._said[_TERM].days = None

    def _is_due(self, subject: str, warning: LicenseWarning, days: int, seconds: float) -> bool:
        said = self._said.get(subject)
        if said is None:
            return True
        if interval := _INTERVALS.get(subject):
            return seconds - said.at_seconds >= interval
        if not said.holds:
            return True
        return not said.same_day(days) if subject == _TERM else said.message != warning.message

    def _cleared(self, holding: set[str], days: int, otherwise: str) -> list[Notice]:
        notices: list[Notice] = []
        for subject, said in self._said.items():
            if subject in holding or not said.holds or (subject == _TERM and said.same_day(days)):
                continue
            said.holds = False
            notices.append(Notice(said.code, otherwise, cleared=True))
        return notices
