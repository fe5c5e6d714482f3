"""The outcome of reading the license's sources again."""

from __future__ import annotations

from enum import StrEnum

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError


class ReloadResult(StrEnum):
    """What came of a reload; the label `result` of kong_mesh_license_reload_total."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """What `POST /license/reload` answers with."""

    result: ReloadResult
    difference: str = ""  # set when applied
    reductions: tuple[str, ...] = ()
    error: ControlPlaneError | None = None  # set when rejected; what was in force still is

    def document(self) -> dict[str, object]:
        """What an administrator is shown when the reload was not rejected."""
        return {
            "result": self.result.value,
            "difference": self.difference,
            "reductions": list(self.reductions),
        }
