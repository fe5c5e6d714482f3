"""The ledger of seats: who holds one, who is expected back, and who may have the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import date

from kong_mesh_cp.core.admission.decision import (
    Admitted,
    AdmittedOverLimit,
    Decision,
    RefusalCode,
    Refused,
)
from kong_mesh_cp.core.admission.doors import Door, SeatPeer, door_of
from kong_mesh_cp.core.admission.mesh_quotas import NO_QUOTAS, MeshQuotas, mesh_full
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.dataclass import dataclass

HIGH_WATER_DAYS_MAX = 400  # of marks kept: a year and the month to compare with
FULL_RETRY_SECONDS = 30  # seats come free when proxies stop: there is no better guess

_ADMITTED = Admitted()


@dataclass(frozen=True, slots=True)
class SeatPolicy:
    """What the license in force says about seats."""

    limit: int  # counted seats, over all meshes and zones
    refuse_when_full: bool  # the pre-bundled license refuses; an issued one admits and warns
    demo: bool


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Counted seats at one moment."""

    active: int  # held by a live connection here
    reserved: int  # known from before a restart and not back yet
    by_mesh: Mapping[str, int]  # of the active ones
    by_zone: Mapping[str, int]
    high_water: Mapping[date, int]  # most active at once, by UTC day
    elsewhere: int = 0  # held through other control planes on the same store
    elsewhere_by_mesh: Mapping[str, int] = field(default_factory=dict)
    quotas: MeshQuotas = NO_QUOTAS

    @property
    def in_all(self) -> int:
        """Held by a live connection, here or elsewhere."""
        return self.active + self.elsewhere


@dataclass(frozen=True, slots=True, eq=False)
class Holder:
    """One connection's claim on a seat. The object is the token: two are never equal."""

    record: SeatRecord
    peer: SeatPeer
    gone: Callable[[], bool]  # the connection is at EOF or its process has ended, just now

    @property
    def counted(self) -> bool:
        return self.record.kind.counted

    @property
    def door(self) -> Door:
        return door_of(self.peer)


class SeatLedger:
    """Who holds which seat. Mutable, synchronous, without I/O; every operation is O(1).

    It is the one mutable class of the core: a new value for each of thousands of seats would copy
    them all on each admission. Its owner must not await between `decide` and `take`, and then
    needs no lock.

    A seat has at most one holder for each door, and counts once, however many it has. A proxy name
    of a zone is held by at most one process of the socket, whatever the mesh: a process belongs to
    one mesh at a time. Proxies on streams are told apart by their meshes, too. Under a policy that
    refuses when full, `active + reserved` never grows beyond the limit.

    `elsewhere` is what others on a shared store hold, as they were counted last. It takes part in
    quotas, warnings and high-water marks; whether the license has room for one more, the store
    itself says then.
    """

    def __init__(
        self, high_water: Mapping[date, int] | None = None, *, quotas: MeshQuotas = NO_QUOTAS
    ) -> None:
        self._quotas = quotas
        self._processes: dict[tuple[str, str], Holder] = {}  # on the socket, by zone and name
        self._streams: dict[SeatId, Holder] = {}
        self._reserved: dict[SeatId, SeatRecord] = {}
        self._active = 0
        self._counted_reserved = 0
        self._reserved_by_mesh: Counter[str] = Counter()
        self._by_mesh: Counter[str] = Counter()
        self._by_zone: Counter[str] = Counter()
        self._high_water = dict(high_water or {})
        self._elsewhere_by_mesh: Mapping[str, int] = {}
        self._elsewhere = 0

    @property
    def elsewhere(self) -> int:
        """Counted seats held through other control planes."""
        return self._elsewhere

    def note_elsewhere(self, by_mesh: Mapping[str, int]) -> None:
        """What others hold now."""
        self._elsewhere_by_mesh = by_mesh
        self._elsewhere = sum(by_mesh.values())

    @property
    def active(self) -> int:
        """Counted seats held by a live connection."""
        return self._active

    @property
    def holders(self) -> Iterable[Holder]:
        """A seat that is held through both doors has two."""
        yield from self._processes.values()
        yield from self._streams.values()

    def holder_of(self, seat: SeatId, door: Door | None = None) -> Holder | None:
        """One that came through `door`; None: through any."""
        holder = self._processes.get((seat.zone, seat.name)) if door is not Door.STREAM else None
        if holder is not None and holder.record.seat == seat:
            return holder
        return self._streams.get(seat) if door is not Door.SOCKET else None

    def occupancy(self) -> Occupancy:
        return Occupancy(
            active=self._active,
            reserved=self._counted_reserved,
            by_mesh=dict(self._by_mesh),
            by_zone=dict(self._by_zone),
            high_water=dict(self._high_water),
            elsewhere=self._elsewhere,
            elsewhere_by_mesh=self._elsewhere_by_mesh,
            quotas=self._quotas,
        )

    def decide(
        self, seat: SeatId, kind: ProxyKind, policy: SeatPolicy, door: Door = Door.SOCKET
    ) -> Decision:
        """May `seat` be taken now, through `door`? Changes nothing.

        A holder that is gone does not stand in the way and its seat does not count: its connection
        will notice in a moment, and a restarted client must not wait for that. Neither does an
        earlier stream of the same proxy, which has shown again who it is: the new one takes its
        place.
        """
        former, company = self._former(seat, door), self._company(seat, door)
        if door is Door.SOCKET and former is not None and not former.gone():
            return _already_joined(seat, former.record.seat)
        if kind.counted and company is not None and not company.counted and not company.gone():
            return _already_joined(seat, seat)  # as a proxy that is not counted
        if not kind.counted or self._keeps_count(seat, former, company):
            return _ADMITTED
        quota = self._quotas.of(seat.mesh)
        if quota is not None:
            used = self._used_of(seat.mesh) - self._counts(former, seat.mesh)
            # As below, of the license.
            if used > quota or (used == quota and self._ghost(former, seat.mesh) is None):
                return mesh_full(seat.mesh, quota, reserved=self._reserved_by_mesh[seat.mesh])
        used = self._used - self._counts(former)
        if not policy.refuse_when_full:
            over = used + self.elsewhere + 1 - policy.limit
            return AdmittedOverLimit(seats_over=over) if over > 0 else _ADMITTED
        if used < policy.limit:
            return _ADMITTED
        # At the limit exactly there are few holders to look at, and one ghost among them is
        # enough. Beyond it (a smaller license was applied) one would not be.
        if used == policy.limit and self._ghost(former) is not None:
            return _ADMITTED
        return _full(policy, reserved=self._counted_reserved)

    def take(
        self,
        record: SeatRecord,
        policy: SeatPolicy,
        *,
        peer: SeatPeer,
        gone: Callable[[], bool],
    ) -> tuple[Holder, tuple[Holder, ...]]:
        """Seat `record`, for which `decide` has just said yes. Also gives the holders unseated.

        Those were a holder of the same name, which was gone or has a new stream, and holders that
        were gone and whose seat was needed.
        """
        seat = record.seat
        holder = Holder(record, peer, gone)
        previous = self._former(seat, holder.door)
        unseated = [previous] if previous is not None else []
        if previous is not None:
            self.free(previous)
        reserved = self._reserved.pop(seat, None)
        if reserved is not None and reserved.kind.counted:
            self._count_reserved(seat, -1)
        if holder.counted and not _is_counted(self._company(seat, holder.door)):
            unseated += self._make_room(seat.mesh, policy)
            self._count(seat, 1)
            self.note_day(record.since.date())
        if holder.door is Door.SOCKET:
            self._processes[seat.zone, seat.name] = holder
        else:
            self._streams[seat] = holder
        return holder, tuple(unseated)

    def _make_room(self, mesh: str, policy: SeatPolicy) -> Iterator[Holder]:
        """Where the mesh or the license is full: frees the seat of one that is gone, and gives it.

        One that goes for the mesh makes room under the license as well.
        """
        if self._used_of(mesh) == self._quotas.of(mesh):
            yield from self._free_ghost(mesh)
        if policy.refuse_when_full and self._used == policy.limit:
            yield from self._free_ghost(None)

    def _free_ghost(self, mesh: str | None) -> Iterator[Holder]:
        ghost = self._ghost(None, mesh)
        if ghost is not None:
            company = self._company(ghost.record.seat, ghost.door)
            for each in (ghost, *([company] if _is_counted(company) and company else ())):
                self.free(each)
                yield each

    def free(self, holder: Holder) -> bool:
        """Give up what the holder has of its seat. False when another has it by now, or nobody."""
        seat, door = holder.record.seat, holder.door
        if self._former(seat, door) is not holder:
            return False
        if door is Door.SOCKET:
            del self._processes[seat.zone, seat.name]
        else:
            del self._streams[seat]
        if holder.counted and not _is_counted(self._company(seat, door)):
            self._count(seat, -1)
        return True

    def reserve(self, records: Iterable[SeatRecord]) -> None:
        """Keep the seats of proxies that are known from before and expected back."""
        for record in records:
            if record.seat not in self._reserved and self.holder_of(record.seat) is None:
                self._reserved[record.seat] = record
                self._count_reserved(record.seat, int(record.kind.counted))

    def records(self) -> Iterable[SeatRecord]:
        """Of who holds a seat, and of who is expected back. A seat may come twice."""
        yield from (holder.record for holder in self.holders)
        yield from self._reserved.values()

    def drop(self, seat: SeatId) -> None:
        """Do not expect this proxy back any more."""
        dropped = self._reserved.pop(seat, None)
        if dropped is not None:
            self._count_reserved(seat, -int(dropped.kind.counted))

    def expire(self) -> tuple[SeatId, ...]:
        """Drop every reservation and tell which: these proxies did not come back in time."""
        dropped = tuple(self._reserved)
        self._reserved.clear()
        self._reserved_by_mesh.clear()
        self._counted_reserved = 0
        return dropped

    def note_day(self, day: date, *, elsewhere: int = 0) -> int:
        """Let the seats held now count for `day`'s high-water mark; returns the mark."""
        mark = self._high_water.get(day, 0)
        if self._active + elsewhere > mark:
            mark = self._high_water[day] = self._active + elsewhere
            if len(self._high_water) > HIGH_WATER_DAYS_MAX:
                del self._high_water[min(self._high_water)]
        return mark

    @property
    def _used(self) -> int:
        return self._active + self._counted_reserved

    def _used_of(self, mesh: str) -> int:
        here = self._by_mesh[mesh] + self._reserved_by_mesh[mesh]
        return here + self._elsewhere_by_mesh.get(mesh, 0)

    def _former(self, seat: SeatId, door: Door) -> Holder | None:
        """Whom one that comes through `door` would replace."""
        if door is Door.SOCKET:
            return self._processes.get((seat.zone, seat.name))
        return self._streams.get(seat)

    def _company(self, seat: SeatId, door: Door) -> Holder | None:
        """Who holds the seat through the other door."""
        return self.holder_of(seat, Door.STREAM if door is Door.SOCKET else Door.SOCKET)

    def _keeps_count(self, seat: SeatId, former: Holder | None, company: Holder | None) -> bool:
        """Whether a counted seat of this very proxy is kept for it: then it takes no new one."""
        if _is_counted(company):
            return True
        if former is not None and former.record.seat == seat:
            return former.counted
        if not self._reserved:
            return False
        reserved = self._reserved.get(seat)
        return reserved is not None and reserved.kind.counted

    def _counts(self, former: Holder | None, mesh: str | None = None) -> int:
        """1 where its seat will be free. `mesh`: and is one of that mesh."""
        if former is None or not former.counted:
            return 0
        seat = former.record.seat
        if _is_counted(self._company(seat, former.door)):
            return 0
        return int(mesh is None or seat.mesh == mesh)

    def _ghost(self, but: Holder | None, mesh: str | None = None) -> Holder | None:
        """One that is gone, and whose counted seat no other holds; of `mesh`, if that is given."""
        for holder in self.holders:
            if mesh is not None and holder.record.seat.mesh != mesh:
                continue
            if holder is but or not holder.counted or not holder.gone():
                continue
            company = self._company(holder.record.seat, holder.door)
            if company is None or not company.counted or company.gone():
                return holder
        return None

    def _count_reserved(self, seat: SeatId, step: int) -> None:
        self._counted_reserved += step
        self._reserved_by_mesh[seat.mesh] += step

    def _count(self, seat: SeatId, step: int) -> None:
        self._active += step
        for counter, key in ((self._by_mesh, seat.mesh), (self._by_zone, seat.zone)):
            counter[key] += step
            if not counter[key]:
                del counter[key]


def _is_counted(holder: Holder | None) -> bool:
    return holder is not None and holder.counted


def _already_joined(seat: SeatId, held: SeatId) -> Refused:
    if held.mesh == seat.mesh:
        reason = f"{seat.name} of mesh {seat.mesh} is held by a live connection"
        hint = "Stop the other process of that name, or join under another name."
    else:
        reason = f"{seat.name} has joined mesh {held.mesh}; a proxy belongs to one mesh at a time"
        hint = f"Stop it in mesh {held.mesh} first, or join under another name."
    return Refused(code=RefusalCode.ALREADY_JOINED, reason=reason, hint=hint)


def _full(policy: SeatPolicy, *, reserved: int) -> Refused:
    kept = f", {reserved} of them kept for proxies from before the restart" if reserved else ""
    return Refused(
        code=RefusalCode.LICENSE_LIMIT,
        reason=f"all {policy.limit} seats of the pre-bundled license are taken{kept}",
        hint=(
            "Stop a data plane proxy, or set KMESH_LICENSE_PATH to an issued license and run: "
            "systemctl restart kong-mesh-cp"
        ),
        retry_after_seconds=FULL_RETRY_SECONDS,
    )
