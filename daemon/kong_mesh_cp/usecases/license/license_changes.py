"""What came of the license's sources since the start, for showing."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.license.term import instant
from kong_mesh_cp.usecases.license.reload_outcome import ReloadResult

CHANGES_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class LicenseChange:
    """What came of the license's sources at one moment of this run."""

    at: datetime
    result: ReloadResult
    cause: str  # the signal, the watch or the administrator who asked
    what: str  # the difference, or why it was rejected
    code: str = ""  # of the rejection

    def document(self) -> dict[str, object]:
        return {
            "at": instant(self.at),
            "result": self.result.value,
            "cause": self.cause,
            "code": self.code,
            "message": self.what,
        }


class LicenseChanges:
    """The last CHANGES_KEPT of this run, oldest first."""

    def __init__(self) -> None:
        self._kept = deque[LicenseChange](maxlen=CHANGES_KEPT)

    def applied(self, at: datetime, cause: str, difference: str) -> None:
        self._kept.append(LicenseChange(at, ReloadResult.APPLIED, cause, difference))

    def rejected(self, at: datetime, cause: str, error: ControlPlaneError) -> None:
        change = LicenseChange(at, ReloadResult.REJECTED, cause, error.message, error.code)
        self._kept.append(change)

    def all(self) -> tuple[LicenseChange, ...]:
        return tuple(self._kept)
