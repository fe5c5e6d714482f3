"""Seats as they are held: taken, kept, handed over and given back, through whichever door."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import trio

from kong_mesh_cp.core.admission.decision import (
    Admitted,
    AdmittedOverLimit,
    Decision,
    RefusalCode,
    Refused,
)
from kong_mesh_cp.core.admission.doors import Door, SeatPeer
from kong_mesh_cp.core.admission.ledger import Holder, Occupancy, SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.admission.socket_messages import StreamRefusal, event_line, nothing_refused
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.usecases.admission.attendance import StreamFacts
from kong_mesh_cp.usecases.admission.first_lines import LicenseInForce
from kong_mesh_cp.usecases.admission.presence import Presence
from kong_mesh_cp.usecases.admission.seat_recording import SeatRecorder
from kong_mesh_cp.usecases.admission.shared_seats import SharedSeats, seat_moved
from kong_mesh_cp.usecases.ports.state_store import WallClock

RECLAIM_SECONDS = 60.0  # after a start: how long seats from before are kept for their proxies
HIGH_WATER_SECONDS = 60.0  # between two looks at the day, for seats that stay over midnight

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class HeldSeat:
    """A seat that has been taken. The caller must call `release` in the end, exactly once."""

    holder: Holder
    line: bytes = b""  # the first line of the answer, once it is known
    ended: Mapping[str, object] | None = None  # why: told when there is a connection, which ends
    end: Callable[[], None] | None = None  # ends the connection, once there is one
    lost: bool = False  # another connection has the seat: this one is a ghost
    kept: bool = False
    confirmed: bool = False  # admitted, and not only decided


def _not_told(_line: bytes) -> bool:
    return False


class Seating:
    """The ledger of seats with what hangs on it: its record, the connections, and who is shown.

    All methods belong to one event loop.
    """

    def __init__(
        self,
        *,
        ledger: SeatLedger,
        license_in_force: LicenseInForce,
        recorder: SeatRecorder,
        presence: Presence,
        wall_clock: WallClock,
        shared: SharedSeats | None = None,
    ) -> None:
        """`shared`: others count seats in the same store, and `recorder` tells it of changes."""
        self._ledger = ledger
        self._license = license_in_force
        self._recorder = recorder
        self._presence = presence
        self._wall_clock = wall_clock
        self._shared = shared
        self._seats: dict[Holder, HeldSeat] = {}
        self._listeners: dict[Holder, Callable[[bytes], bool]] = {}
        self._mark: tuple[date, int] | None = None  # recorded last
        self.decisions: Counter[tuple[str, str]] = Counter()
        # What a proxy does not take; to be set by who configures them.
        self.refused: Callable[[SeatId], StreamRefusal | None] = nothing_refused

    def decide(self, seat: SeatId, kind: ProxyKind, door: Door) -> tuple[Decision, SeatPolicy]:
        """What the license says of it. Until `take` there must be no await."""
        policy = self._license.seat_policy()
        return self._ledger.decide(seat, kind, policy, door), policy

    async def refusal_of(self, seat: SeatId, kind: ProxyKind, door: Door) -> Refused | None:
        """Why it could not be taken now; None: it could. Takes nothing."""
        decision, policy = self.decide(seat, kind, door)
        if isinstance(decision, Refused):
            return decision
        return await self.shared_refusal(seat, kind, policy)

    async def shared_refusal(
        self, seat: SeatId, kind: ProxyKind, policy: SeatPolicy
    ) -> Refused | None:
        """What the count of all control planes on the store says of it. Takes nothing."""
        if self._shared is None or not policy.refuse_when_full or not kind.counted:
            return None
        return await self._shared.would_claim(seat, policy.limit)

    def take(
        self,
        seat: SeatId,
        kind: ProxyKind,
        policy: SeatPolicy,
        *,
        peer: SeatPeer,
        gone: Callable[[], bool],
        has_resource: bool,
        stream: StreamFacts | None = None,
    ) -> HeldSeat:
        """The seat, for which `decide` has just said yes; `has_resource`: a Dataplane is stored."""
        record = SeatRecord(seat, kind, self._wall_clock())
        holder, unseated = self._ledger.take(record, policy, peer=peer, gone=gone)
        for ghost in unseated:
            self._unseat(ghost)
        self._recorder.change(seat, self._record_of(seat))
        self._presence.taken(record, has_resource=has_resource, stream=stream)
        held = HeldSeat(holder)
        self._seats[holder] = held
        return held

    async def confirm(self, held: HeldSeat, policy: SeatPolicy) -> Refused | None:
        """Wait until the seat counts: in the store, where that decides, and after any crash."""
        if self._shared is not None and policy.refuse_when_full:
            refused = await self._shared.claim(held.holder.record, policy.limit)
            if refused is not None:
                return refused
        self._note_high_water()
        return await self._recorder.durable() if policy.refuse_when_full else None

    def note_admitted(
        self, held: HeldSeat, decision: Admitted | AdmittedOverLimit, policy: SeatPolicy, who: str
    ) -> None:
        """It is confirmed: count and log it. `who` holds it, in words for the log."""
        held.confirmed = True
        record = held.holder.record
        over = isinstance(decision, AdmittedOverLimit)
        code = "over-limit" if over else "within-limit" if held.holder.counted else "not-counted"
        self.decisions["admitted", code] += 1
        log.info(
            "admission-admitted: %s %s (%s) %s; %d of %d seats",
            code,
            record.seat.path,
            record.kind.value,
            who,
            self.active,
            policy.limit,
        )

    def attach(
        self,
        held: HeldSeat,
        end: Callable[[], None],
        send_line: Callable[[bytes], bool] = _not_told,
    ) -> None:
        """Connect the seat with its connection: events go to `send_line`, which must not block.

        `end` is called when the seat goes to another connection, or ends, at once if it already
        has.
        """
        if held.ended is not None:
            send_line(event_line(held.ended))
        if held.lost or held.ended is not None:
            end()
            return
        held.end = end
        self._listeners[held.holder] = send_line

    def release(self, held: HeldSeat) -> None:
        """The connection has ended: its seat is free, unless it was kept or another has it."""
        if self._give_back(held) and held.confirmed:
            seat = held.holder.record.seat
            log.info("admission-released: %s; %d seats held", seat.path, self.active)

    def _give_back(self, held: HeldSeat) -> bool:
        self._forget(held.holder)
        freed = not held.kept and self._ledger.free(held.holder)
        if freed:
            self._note_less(held.holder)
        return freed

    def keep(self, held: HeldSeat) -> None:
        """The control plane itself ends the connection: the proxy is expected back.

        The seat stays in the ledger and in the store, where the next start finds it.
        """
        held.kept = True

    def broadcast(self, event: Mapping[str, object]) -> None:
        """Tell every held connection. One that does not read misses it."""
        line = event_line(event)
        for send_line in tuple(self._listeners.values()):
            send_line(line)

    def end_seat(self, seat: SeatId, event: Mapping[str, object]) -> None:
        """Tell the holders why, and end their connections; then the seat is free."""
        for door in Door:
            holder = self._ledger.holder_of(seat, door)
            held = self._seats.get(holder) if holder is not None else None
            if holder is None or held is None or held.ended is not None:
                continue
            log.info("seat-ended: %s: %s", seat.path, event["code"])
            held.ended = event
            send_line = self._listeners.get(holder)
            if send_line is not None and held.end is not None:
                send_line(event_line(event))
                held.end()

    def _note_less(self, former: Holder) -> None:
        """`former` has the seat no more; another may have it, through the other door."""
        seat = former.record.seat
        remaining = self._ledger.holder_of(seat)
        self._recorder.change(seat, self._record_of(seat))
        if remaining is None:
            self._presence.left(seat)
        elif former.door is Door.STREAM:
            self._presence.without_stream(remaining.record)

    def _record_of(self, seat: SeatId) -> SeatRecord | None:
        """What the store keeps of it: one that counts, if any does."""
        held = (self._ledger.holder_of(seat, door) for door in Door)
        records = [holder.record for holder in held if holder is not None]
        return max(records, key=lambda each: each.kind.counted, default=None)

    def _unseat(self, ghost: Holder) -> None:
        held = self._seats.get(ghost)
        self._forget(ghost)
        if self._ledger.holder_of(ghost.record.seat, ghost.door) is None:
            self._note_less(ghost)
        if held is not None:
            held.lost = True
            if held.end is not None:
                held.end()

    def lose(self, seat: SeatId) -> None:
        """Another control plane has the seat now."""
        self._ledger.drop(seat)
        self.end_seat(seat, seat_moved(seat))
        holders = [self._ledger.holder_of(seat, door) for door in Door]
        for holder in holders:
            if holder is not None:
                self._ledger.free(holder)
        if not any(holders):
            self._recorder.change(seat, None)
            self._presence.left(seat)
        for holder in holders:
            if holder is not None:
                self._unseat(holder)

    def _forget(self, holder: Holder) -> None:
        self._seats.pop(holder, None)
        self._listeners.pop(holder, None)

    def holders(self) -> Iterable[Holder]:
        return self._ledger.holders

    def occupancy(self) -> Occupancy:
        return self._ledger.occupancy()

    @property
    def active(self) -> int:
        """Counted seats held by a live connection, of all control planes on the store."""
        return self._ledger.active + self._ledger.elsewhere

    def count_refusal(self, code: RefusalCode) -> None:
        """A refusal for `kong_mesh_admissions_total`, wherever it was decided."""
        self.decisions["refused", code.value] += 1

    async def run(self, remembered: Sequence[SeatRecord]) -> None:
        """Keep the reclaim window and the high-water mark, until cancelled.

        The seats of `remembered` have been given to `reserve` before the first door was opened.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_reclaim_window, len(remembered))
            while True:
                await trio.sleep(HIGH_WATER_SECONDS)
                self._note_high_water()

    def reserve(self, remembered: Iterable[SeatRecord]) -> None:
        """Keep seats of before the restart for their proxies. Before the first admission."""
        self._ledger.reserve(remembered)

    async def _end_reclaim_window(self, reserved: int) -> None:
        if not reserved:
            return
        await trio.sleep(RECLAIM_SECONDS)
        dropped = self._ledger.expire()
        for seat in dropped:
            if self._ledger.holder_of(seat) is None:
                self._recorder.change(seat, None)
                self._presence.left(seat)
        log.info(
            "reclaim-window-ended: %d of %d proxies came back within %d s",
            reserved - len(dropped),
            reserved,
            RECLAIM_SECONDS,
        )

    def _note_high_water(self) -> None:
        today = self._wall_clock().date()
        mark = (today, self._ledger.note_day(today, elsewhere=self._ledger.elsewhere))
        if mark != self._mark:
            self._mark = mark
            self._recorder.high_water(*mark)
