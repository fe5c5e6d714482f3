"""The license in force: chosen at start, replaced by reloads, watched while time passes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from kong_mesh_cp.core.admission.ledger import Occupancy, SeatPolicy
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily
from kong_mesh_cp.core.license import warnings as license_warnings
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.changes import difference, reductions
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.selection import (
    RestartVerdict,
    SelectedLicense,
    identify,
    require_no_fall,
    require_start,
    with_alternatives,
)
from kong_mesh_cp.core.license.sources import Choice, SourceReading, choose
from kong_mesh_cp.core.license.term import Entitlement, days_left, instant, name, term_at
from kong_mesh_cp.core.license.warning_schedule import Notice, WarningSchedule, signed_days
from kong_mesh_cp.core.license.warnings import LicenseWarning
from kong_mesh_cp.usecases.license.clock_guard import ClockGuard
from kong_mesh_cp.usecases.license.license_changes import LicenseChanges
from kong_mesh_cp.usecases.license.metrics import license_metrics
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome, ReloadResult
from kong_mesh_cp.usecases.license.status_line import describe, status_line
from kong_mesh_cp.usecases.license.views import (
    FullLicense,
    PendingError,
    PublicLicense,
    WarningView,
    is_test,
    seat_policy_of,
)
from kong_mesh_cp.usecases.ports.state_store import (
    BootClock,
    LicenseSources,
    Remembered,
    WallClock,
    no_failure,
)

log = logging.getLogger(__name__)

RESTART_CHECK_SECONDS = 5  # how old the verdict in status, metrics and views may be

CAUSE_FILE = "file changed"  # the cause of reloads by the watch: when in vain, not worth a line

# Holders of seats are sent these; the others are for administrators.
_TOLD_TO_SEATS = ("expires-soon", "expired", "over-limit")

Announce = Callable[[Mapping[str, object]], None]
"""Sends one event line to every held seat. Must not wait and must not raise."""


class LicenseHolder:
    """Holds the license in force; a bad replacement never displaces a good one.

    Everything is synchronous: between reading the state and swapping it there is no await, so
    tasks of one event loop need no lock. Where the sources may be slow (a file on a network mount
    that hangs), the caller reads them in a thread and hands the readings in.
    """

    def __init__(
        self,
        *,
        sources: LicenseSources,
        keyring: Keyring,
        keyring_override: bool,
        wall: WallClock,
        boottime: BootClock,
        boot_id: str,
        remembered: Remembered,
        announce: Announce,
    ) -> None:
        """Choose and check the license that a start may run on. Touches nothing but the sources.

        Raises: LicenseRejectedError naming the source, the reason and the next command.
        """
        self._sources = sources
        self._keyring = keyring
        self._keyring_override = keyring_override
        self._announce = announce
        self._clock = ClockGuard(
            wall=wall, boottime=boottime, boot_id=boot_id, mark=remembered.clock
        )
        # A first start that is yet to come is a clock that was wrong then.
        latest = self._clock.latest
        self._trial_is_new = remembered.trial_started_at is None
        self._trial_started_at = min(remembered.trial_started_at or latest, latest)
        self._in_force = self._identify(sources.read())
        self._require_start(self._in_force, running=False)
        self._restart = RestartVerdict(safe=True)
        self._restart_checked_seconds = self._clock.boot_seconds
        self.in_the_way: Callable[[], ControlPlaneError | None] = no_failure  # beside the license
        self._pending: PendingError | None = None
        self._reloads = dict.fromkeys(ReloadResult, 0)
        self._changes = LicenseChanges()
        self._schedule = WarningSchedule()
        self._active = 0

    @property
    def entitlement(self) -> Entitlement:
        return self._in_force.entitlement

    @property
    def now(self) -> datetime:
        """What licenses are checked against; later than the wall clock if that was set back."""
        return self._clock.now

    @property
    def days_left(self) -> int:
        return days_left(self.entitlement.expires_at, self._clock.now)

    @property
    def trial_started_at(self) -> datetime:
        """First start of this control plane: to be stored, also while an issued license is used."""
        return self._trial_started_at

    def trial_recorded(self, at: datetime) -> None:
        """Take the stamp that the store answered: the earlier one counts.

        Raises: LicenseRejectedError when with it the pre-bundled license in force has ended.
        """
        if at >= self._trial_started_at:
            return
        self._trial_started_at = at
        if self._in_force.choice is None:
            self._in_force = SelectedLicense(BundledLicense(at), None)
            self._require_start(self._in_force, running=False)

    @property
    def unsaved_clock(self) -> ClockMark | None:
        """The clock mark to persist, when that is due; then tell `clock_saved`."""
        return self._clock.unsaved

    def clock_saved(self, mark: ClockMark) -> None:
        self._clock.saved(mark)

    def log_start(self, active: int = 0) -> None:
        """Log which license won and every warning that holds. Once, when the start is certain."""
        entitlement, choice = self.entitlement, self._in_force.choice
        log.info(
            "license-in-force: %s%s, %s: %s, until %s (days left: %d)",
            "TEST " if is_test(entitlement) else "",
            name(entitlement),
            "no source is set" if choice is None else f"from {self._in_force.source}",
            describe(entitlement),
            instant(entitlement.expires_at),
            self.days_left,
        )
        if choice is None and self._trial_is_new:
            log.info(
                "license-trial-started: no earlier start is recorded in the store or the state"
                " directory, so the term of the pre-bundled license begins now"
            )
        if choice is not None and choice.losers and not choice.conflicting:
            losers = ", ".join(loser.source for loser in choice.losers)
            log.info(
                "license-sources-agree: %s is used; %s holds the same",
                self._in_force.source,
                losers,
            )
        self._log_remarks(before=())
        self._active = active
        self._warn()

    def seat_policy(self) -> SeatPolicy:
        """Read it in the same step as the ledger: it changes with a reload."""
        demo = isinstance(self.entitlement, BundledLicense)
        return seat_policy_of(self.entitlement.dataplanes, demo)

    def reload(self, cause: str, readings: Sequence[SourceReading] | None = None) -> ReloadOutcome:
        """Apply what the sources hold now if it is usable, keep what is in force otherwise.

        `cause` is for the log: the signal, the watch or the administrator who asked. Without
        `readings` the sources are read here.
        """
        readings = self._sources.read() if readings is None else readings
        found: SelectedLicense | None = None
        try:
            found = self._identify(readings)
            require_no_fall(self._in_force, found, self._clock.now)
            # The license in force may have ended meanwhile: finding it again is no failure.
            if found.entitlement != self.entitlement:
                self._require_start(found, running=True)
        except ControlPlaneError as error:
            outcome = self._reject(error, found, cause)
        else:
            outcome = self._accept(found, cause)
        self._reloads[outcome.result] += 1
        self._restart = self._verdict(readings)
        self._warn()
        return outcome

    @property
    def pending_error(self) -> PendingError | None:
        """Why what the sources hold is not in force; None while it is."""
        return self._pending

    def restart_safe(self, readings: Sequence[SourceReading] | None = None) -> RestartVerdict:
        """Would a start right now succeed? Without `readings` the sources are read here."""
        self._restart = self._verdict(self._sources.read() if readings is None else readings)
        return self._restart

    @property
    def restart(self) -> RestartVerdict:
        """The verdict about the license; where that says yes, about all else a start needs."""
        failure = self.in_the_way()
        if failure is not None and self._restart.safe:
            return RestartVerdict(safe=False, error=failure)
        return self._restart

    @property
    def restart_check_due(self) -> bool:
        """The verdict is RESTART_CHECK_SECONDS old: it is time for `restart_safe`."""
        return self._clock.boot_seconds - self._restart_checked_seconds >= RESTART_CHECK_SECONDS

    def tick(self, active: int) -> None:
        """Look at the clocks, the term and the count; to be called every second or so."""
        self._clock.observe()
        self._active = active
        self._warn()

    def warnings(self, active: int) -> tuple[WarningView, ...]:
        now, found = self._clock.now, self._conditions(active)
        return tuple(WarningView.of(each, self._schedule.since(each.code, now)) for each in found)

    def public_view(self, active: int) -> PublicLicense:
        entitlement = self.entitlement
        return PublicLicense(
            allowed=entitlement.dataplanes,
            active=active,
            expires_at=entitlement.expires_at,
            demo=isinstance(entitlement, BundledLicense),
        )

    def full_view(self, occupancy: Occupancy) -> FullLicense:
        return FullLicense(
            public=self.public_view(occupancy.in_all),
            entitlement=self.entitlement,
            choice=self._in_force.choice,
            days_left=self.days_left,
            restart=self.restart,
            clock_suspect=self._clock.suspect,
            keyring_override=self._keyring_override,
            warnings=self.warnings(occupancy.in_all),
            pending_error=self._pending,
            occupancy=occupancy,
            changes=self._changes.all(),
        )

    def admission_license(self, active: int) -> dict[str, object]:
        """The license as the first line of an admission tells it."""
        demo = isinstance(self.entitlement, BundledLicense)
        return {
            "allowed": self.entitlement.dataplanes,
            "active": active,
            "daysLeft": self.days_left,
            "demo": demo,
        }

    def status_line(self, active: int) -> str:
        """For systemd: who may run how many, until when, and whether a restart would succeed."""
        return status_line(self.entitlement, self.restart, active=active, now=self._clock.now)

    def metrics(self, active: int) -> tuple[MetricFamily, ...]:
        return license_metrics(
            self.entitlement,
            active=active,
            restart_safe=self.restart.safe,
            reloads={result.value: count for result, count in self._reloads.items()},
        )

    def _identify(self, readings: Sequence[SourceReading]) -> SelectedLicense:
        try:
            return identify(
                readings,
                keyring=self._keyring,
                trial_started_at=self._trial_started_at,
            )
        except LicenseRejectedError as error:
            refused = self._with_alternatives(error, choose(readings))
        raise refused

    def _require_start(self, selected: SelectedLicense, *, running: bool) -> None:
        clock = self._clock
        try:
            require_start(selected, clock.now, running=running, clock_suspect=clock.suspect)
        except LicenseRejectedError as error:
            refused = self._with_alternatives(error, selected.choice)
        else:
            return
        raise refused

    def _with_alternatives(
        self, error: LicenseRejectedError, choice: Choice | None
    ) -> LicenseRejectedError:
        return with_alternatives(error, choice, keyring=self._keyring, now=self._clock.now)

    def _verdict(self, readings: Sequence[SourceReading]) -> RestartVerdict:
        self._restart_checked_seconds = self._clock.boot_seconds
        try:
            found = self._identify(readings)
            require_no_fall(self._in_force, found, self._clock.now)
            self._require_start(found, running=True)
        except ControlPlaneError as error:
            return RestartVerdict(safe=False, error=error)
        return RestartVerdict(safe=True)

    def _accept(self, found: SelectedLicense, cause: str) -> ReloadOutcome:
        before, self._in_force = self._in_force, found
        if self._pending is not None:
            log.info("license-reload-recovered: %s can be used again (%s)", found.source, cause)
            self._pending = None
        self._log_remarks(before=before.remarks)
        if found.entitlement == before.entitlement:
            level = logging.DEBUG if cause == CAUSE_FILE else logging.INFO
            log.log(
                level, "license-unchanged: %s stays in force (%s)", name(self.entitlement), cause
            )
            return ReloadOutcome(result=ReloadResult.UNCHANGED)
        changed = difference(before.entitlement, found.entitlement)
        lost = reductions(before.entitlement, found.entitlement)
        log.info("license-applied: %s, from %s (%s)", changed, found.source, cause)
        self._changes.applied(self._clock.now, cause, changed)
        if lost:
            log.warning(
                "license-reduced: the license now in force means %s; nobody loses a seat."
                " If that is not meant, put the former one back in %s.",
                " and ".join(lost),
                found.source,
            )
        self._schedule.license_changed()
        self._announce({"event": "license-changed", **self.admission_license(self._active)})
        return ReloadOutcome(result=ReloadResult.APPLIED, difference=changed, reductions=lost)

    def _reject(
        self, error: ControlPlaneError, found: SelectedLicense | None, cause: str
    ) -> ReloadOutcome:
        # Not the message alone: `not-yet-valid` tells the time, which never stands still.
        subject = error.message if found is None else found.source + error.code
        if self._pending is None or self._pending.subject != subject:
            log.error(
                "%s: %s; %s stays in force (%s). %s",
                error.code,
                error.message,
                name(self.entitlement),
                cause,
                error.hint,
            )
            self._pending = PendingError(error, self._clock.now, subject)
            self._changes.rejected(self._clock.now, cause, error)
        return ReloadOutcome(result=ReloadResult.REJECTED, error=error)

    def _conditions(self, active: int) -> tuple[LicenseWarning, ...]:
        return license_warnings.current(
            self.entitlement,
            term_at(self.entitlement, self._clock.now),
            active=active,
            clock_suspect=self._clock.suspect,
            keyring_override=self._keyring_override,
            sources=self._in_force.choice,
        )

    def _warn(self) -> None:
        now = self._clock.now
        notices = self._schedule.observe(
            self._conditions(self._active),
            days=signed_days(self.entitlement.expires_at, now),
            now=now,
            boot_seconds=self._clock.boot_seconds,
            otherwise=self.status_line(self._active),
        )
        for notice in notices:
            self._say(notice)

    def _say(self, notice: Notice) -> None:
        if notice.cleared:
            log.info("license-%s-cleared: %s", notice.code, notice.message)
        else:
            log.warning("license-%s: %s", notice.code, notice.message)
        if notice.code in _TOLD_TO_SEATS:
            event = "license-warning-cleared" if notice.cleared else "license-warning"
            told = self.admission_license(self._active)
            self._announce({"event": event, "code": notice.code, **told})

    def _log_remarks(self, before: tuple[str, ...]) -> None:
        for remark in self._in_force.remarks:
            if remark not in before:
                log.warning("license-file-untidy: %s %s", self._in_force.source, remark)
