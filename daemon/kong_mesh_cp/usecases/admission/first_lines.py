"""The first lines of admissions: the seat, what the license says of it, and what was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import trio

from kong_mesh_cp.core.admission.ledger import SeatPolicy
from kong_mesh_cp.core.admission.socket_messages import license_text
from kong_mesh_cp.usecases.license.views import WarningView

TOLD_SECONDS = 1.0  # how long the license's part of first lines is used again


class LicenseInForce(Protocol):
    """What admissions need to know of the license; asked anew for each of them."""

    def seat_policy(self) -> SeatPolicy: ...

    def admission_license(self, active: int) -> Mapping[str, object]:
        """The `license` part of a first line."""
        ...

    def warnings(self, active: int) -> Sequence[WarningView]: ...


class LicenseTexts:
    """The part of a first line that is the same for every proxy at one moment.

    What it says of the license may be a second old, its numbers are not.
    """

    def __init__(self, license_in_force: LicenseInForce) -> None:
        self._license = license_in_force
        self._told = ""
        self._told_of: tuple[SeatPolicy, int, int] | None = None
        self._told_until = 0.0

    def text(self, policy: SeatPolicy, active: int, *, active_more: int = 0) -> str:
        """`active` seats are taken; warned is as if there were `active_more`."""
        moment = (policy, active, active_more)
        now = trio.current_time()
        if moment != self._told_of or now >= self._told_until:
            self._told_of, self._told_until = moment, now + TOLD_SECONDS
            self._told = license_text(
                self._license.admission_license(active),
                [
                    (warning.code, warning.message)
                    for warning in self._license.warnings(active + active_more)
                ],
            )
        return self._told
