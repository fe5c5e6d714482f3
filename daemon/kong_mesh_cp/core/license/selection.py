"""Which license the sources give, and whether a control plane may start on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.license import paste_mistakes
from kong_mesh_cp.core.license.bundled import BUNDLED_DATAPLANES, BundledLicense
from kong_mesh_cp.core.license.document import verify
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.renewal import renewal
from kong_mesh_cp.core.license.sources import Choice, SourceReading, choose
from kong_mesh_cp.core.license.term import Entitlement, instant, name, require_startable

_TEXT_SLIPS = (Fault.NOT_JSON, Fault.MALFORMED)
_SET_BACK = (
    "The clock of this machine was set back, which does not give a license its term again: see"
    " timedatectl. If the clock is right now, stop the daemon and run: kong-mesh-cp license"
    " reset-clock --reason TEXT"
)


@dataclass(frozen=True, slots=True)
class SelectedLicense:
    """The license that the sources give. Its signature is checked, its term is not."""

    entitlement: Entitlement
    choice: Choice | None  # None: no source is set, so the pre-bundled license applies

    @property
    def source(self) -> str:
        return "the program" if self.choice is None else self.choice.winner.source

    @property
    def remarks(self) -> tuple[str, ...]:
        return () if self.choice is None else self.choice.winner.remarks


@dataclass(frozen=True, slots=True)
class RestartVerdict:
    """Would a start right now succeed, and not run on less than what is in force?"""

    safe: bool
    error: ControlPlaneError | None = None


def identify(
    readings: Sequence[SourceReading], *, keyring: Keyring, trial_started_at: datetime
) -> SelectedLicense:
    """Choose among `readings` and verify the winner, whatever the time.

    A source that is set but broken is an error, never a reason to look at a lower one.
    Raises: LicenseRejectedError naming the source.
    """
    choice = choose(readings)
    if choice is None:
        return SelectedLicense(BundledLicense(trial_started_at), None)
    winner = choice.winner
    if winner.error is not None:
        raise winner.error
    document = winner.document or b""
    try:
        return SelectedLicense(verify(document, keyring), choice)
    except LicenseRejectedError as error:
        hint = None
        if error.fault in _TEXT_SLIPS:
            kind = winner.kind if winner.path is None else None
            hint = paste_mistakes.hint_for(kind, document.decode("utf-8", "replace"))
        rejected = error.at(winner.source, hint=hint)
    raise rejected


def with_alternatives(
    error: LicenseRejectedError, choice: Choice | None, *, keyring: Keyring, now: datetime
) -> LicenseRejectedError:
    """`error` of the winner, and which of the sources that lost hold a license that would do."""
    if choice is None:
        return error
    good = [loser.source for loser in choice.losers if _would_do(loser, keyring, now)]
    if not good:
        return error
    hint = (
        f"{' and '.join(good)} would do, and is not used as long as {choice.winner.source} is set:"
        f" remove that, or mend it. {error.hint}"
    )
    return LicenseRejectedError(error.fault, error.message, hint=hint)


def _would_do(reading: SourceReading, keyring: Keyring, now: datetime) -> bool:
    if reading.document is None:
        return False
    try:
        require_startable(verify(reading.document, keyring), now)
    except LicenseRejectedError:
        return False
    return True


def require_start(
    selected: SelectedLicense, now: datetime, *, running: bool, clock_suspect: bool = False
) -> None:
    """Whether a start on `selected` would succeed; the hint depends on a daemon that is `running`.

    Raises: LicenseRejectedError `expired` or `not-yet-valid`, naming the source.
    """
    try:
        require_startable(selected.entitlement, now)
    except LicenseRejectedError as error:
        hint = error.hint
        if error.fault is Fault.EXPIRED:
            # By the wall clock it may not have ended: renewing it would be the wrong cure.
            hint = _SET_BACK if clock_suspect else renewal(selected.choice, running=running)
        if selected.choice is None:
            rejected = LicenseRejectedError(error.fault, error.message, hint=hint)
        else:
            rejected = error.at(selected.source, hint=hint)
    else:
        return
    raise rejected


def require_no_fall(in_force: SelectedLicense, found: SelectedLicense, now: datetime) -> None:
    """An issued license must not silently become the pre-bundled one because its source vanished.

    Raises: ControlPlaneError `license-source-gone`, saying what a restart would end in.
    """
    if in_force.choice is None or found.choice is not None:
        return
    bundled = found.entitlement
    if now < bundled.expires_at:
        then = (
            f"run on the pre-bundled license ({BUNDLED_DATAPLANES} data plane proxies until"
            f" {instant(bundled.expires_at)})"
        )
    else:
        then = f"be refused, since the pre-bundled license ended at {instant(bundled.expires_at)}"
    raise ControlPlaneError(
        f"{name(in_force.entitlement)} is no longer in {in_force.source} and no other source is"
        f" set: a restart would {then}",
        code="license-source-gone",
        hint="Put the license back there, or set KMESH_LICENSE_PATH to its file.",
    )
