"""Ports of the state of a control plane. Each has at least two implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from kong_mesh_cp.core.admission.attestation import AttestedPeer
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.core.license.sources import SourceReading

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds.mesh import ProxyConstraints

WallClock = Callable[[], datetime]  # aware, UTC
BootClock = Callable[[], float]  # CLOCK_BOOTTIME in seconds: goes on during suspend, never back

StoreFailure = Callable[[], StateError | None]
"""Why the store cannot be used right now, as far as that is known; None: it can. Never waits."""


def no_failure() -> None:
    """A `StoreFailure` of what does not fail as a whole."""


HIGH_WATER_DAYS_MAX = 400  # a year and a month of days are kept; the oldest day makes room


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """All that a control plane knows of its past when it starts."""

    trial_started_at: datetime | None = None
    clock: ClockMark | None = None
    seats: tuple[SeatRecord, ...] = ()
    high_water: Mapping[date, int]  # most counted seats held at once, by UTC day
    remarks: tuple[str, ...] = ()  # lines for the log: what could not be read, and what follows


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something an administrator did that changes what the product believes."""

    at: datetime
    actor: str
    action: str
    reason: str


class StateStore(Protocol):
    """Durable memory. Every method returns when its change is on disk; all raise StateError.

    A method that was cancelled while it waited has made its whole change or none of it.
    """

    async def cluster_id(self) -> str:
        """The name of this control plane's state: a UUID made once, with the store."""
        ...

    async def remembered(self) -> Remembered: ...

    async def save_trial_start(self, at: datetime) -> datetime:
        """Keep the earlier of `at` and what is stored; return it."""
        ...

    async def save_clock(self, mark: ClockMark) -> None:
        """Replace what is stored, also by an earlier mark: that is how a clock is reset."""
        ...

    async def apply_seats(self, changes: Mapping[SeatId, SeatRecord | None]) -> None:
        """One transaction: None frees a seat. Applying a change twice does no harm."""
        ...

    async def save_high_water(self, day: date, seats: int) -> None:
        """Keep the larger of `seats` and what is stored for `day`, for HIGH_WATER_DAYS_MAX days."""
        ...

    async def audit(self, entry: AuditEntry) -> None:
        """Append to the log of administrators' deeds; nothing is ever taken out of it."""
        ...


class LicenseSources(Protocol):
    """Where license documents come from."""

    def read(self) -> Sequence[SourceReading]:
        """Every source that is set, by precedence, with its document or its error. Never raises."""
        ...


class MeshDirectory(Protocol):
    """Which meshes exist, and whom they take. It answers at once, from what it has read."""

    def names(self) -> Sequence[str]: ...

    async def exists(self, mesh: str) -> bool:
        """Whether there is `mesh`. One that it has not read yet is looked up: it may be new."""
        ...

    async def made(self, mesh: str) -> None:
        """Return when `mesh` is stored, or will not be: it is named while a start is making it."""
        ...

    def is_awaited(self, mesh: str) -> bool:
        """Whether a start is still making `mesh`."""
        ...

    def constraints(self, mesh: str) -> ProxyConstraints | None:
        """What the mesh asks of the tags of its proxies; None: nothing, or there is no mesh."""
        ...


class PeerAttestor(Protocol):
    """The process at the other end of one connection, as the host knows it."""

    @property
    def pid(self) -> int:
        """0 when the process is not visible from here (another pid namespace)."""
        ...

    @property
    def uid(self) -> int: ...

    async def attest(self, *, names: bool) -> AttestedPeer:
        """Look at the process. With `names` also look up user and group names. Never raises."""
        ...

    def gone(self) -> bool:
        """Whether the connection is at EOF or the process has ended, right now."""
        ...
