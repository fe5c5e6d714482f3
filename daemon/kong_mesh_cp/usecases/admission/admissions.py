"""Who gets a seat: the order of the checks, the taking, and what becomes of the seat later."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from typing import NamedTuple

import trio

from kong_mesh_cp.core.admission import constraints
from kong_mesh_cp.core.admission.attestation import AttestedPeer, Identified, IdentityRules
from kong_mesh_cp.core.admission.decision import (
    Admitted,
    AdmittedOverLimit,
    RefusalCode,
    Refused,
)
from kong_mesh_cp.core.admission.ledger import Holder, Occupancy, SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.admission.socket_messages import admitted_line, event_line
from kong_mesh_cp.core.admission.stored_proxy import contradiction
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.usecases.admission.first_lines import LicenseInForce, LicenseTexts
from kong_mesh_cp.usecases.admission.presence import Arrival, Presence
from kong_mesh_cp.usecases.admission.proxy_directory import Looked
from kong_mesh_cp.usecases.admission.requests import no_such_mesh, read
from kong_mesh_cp.usecases.admission.seat_recording import SeatRecorder
from kong_mesh_cp.usecases.admission.shared_seats import SharedSeats, seat_moved
from kong_mesh_cp.usecases.identity.auditing import Refusals
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory, PeerAttestor, WallClock

RECLAIM_SECONDS = 60.0  # after a start: how long seats from before are kept for their proxies
LOGGED_CHARACTERS_MAX = 300  # of a refusal's reason: a body can hold thousands of faults
HIGH_WATER_SECONDS = 60.0  # between two looks at the day, for seats that stay over midnight

_NO_RULES = Identified({})
_NOT_ARRIVED = Arrival()

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class HeldSeat:
    """A seat that has been taken. The caller must call `release` in the end, exactly once."""

    holder: Holder
    line: bytes = b""  # the first line of the answer, once it is known
    last_line: bytes = b""  # why it is ended: sent when there is a connection, which then ends
    end: Callable[[], None] | None = None  # ends the connection, once there is one
    lost: bool = False  # another connection has the seat: this one is a ghost
    kept: bool = False


class _Approved(NamedTuple):
    """Shape, mesh, identity and constraints have been passed."""

    request: AdmissionRequest
    seat: SeatId
    tags: Tags  # of a rule
    peer: AttestedPeer | None  # None: the process was not looked at
    stored: bool  # kind and tags are those of a stored Dataplane
    warnings: Sequence[tuple[str, str]] = ()


class Admissions:
    """Decides admissions and keeps the ledger of seats. All methods belong to one event loop."""

    def __init__(
        self,
        *,
        zone: str,
        ledger: SeatLedger,
        meshes: MeshDirectory,
        rules: IdentityRules,
        license_in_force: LicenseInForce,
        recorder: SeatRecorder,
        presence: Presence,
        wall_clock: WallClock,
        refusals: Refusals,
        shared: SharedSeats | None = None,
        closed: Refused | None = None,
    ) -> None:
        """`shared`: others count seats in the same store, and `recorder` tells it of changes.

        `closed`: the refusal of every request, where no proxy may join.
        """
        self._zone = zone
        self._closed = closed
        self._ledger = ledger
        self._meshes = meshes
        self._rules = rules
        self._license = license_in_force
        self._texts = LicenseTexts(license_in_force)
        self._recorder = recorder
        self._presence = presence
        self._wall_clock = wall_clock
        self._refusals = refusals
        self._shared = shared
        self._seats: dict[Holder, HeldSeat] = {}
        self._listeners: dict[Holder, Callable[[bytes], bool]] = {}
        self._mark: tuple[date, int] | None = None  # recorded last
        self.decisions: Counter[tuple[str, str]] = Counter()

    async def try_out(self, body: bytes, peer: PeerAttestor) -> bytes | Refused:
        """The line that an admission would get; nothing is taken, recorded or counted."""
        # Without rules the peer's identity is not asked for, and looking would cost more than
        # deciding.
        approved = await self._approve(body, peer, look=bool(self._rules))
        if isinstance(approved, Refused):
            return approved
        policy = self._license.seat_policy()
        decision = self._ledger.decide(approved.seat, approved.request.kind, policy)
        if isinstance(decision, Refused):
            return decision
        if self._shared is not None and policy.refuse_when_full and approved.request.kind.counted:
            refused = await self._shared.would_claim(approved.seat, policy.limit)
            if refused is not None:
                return refused
        # One more would be over the limit: the answer warns of it, though the proxy is not there
        # yet.
        over = isinstance(decision, AdmittedOverLimit)
        return self._line(approved, policy, active_more=int(over))

    async def admit(self, body: bytes, peer: PeerAttestor) -> HeldSeat | Refused:
        """Decide and take the seat. Cancelling gives it back.

        Under a license that refuses when full the seat is on disk before this returns: a proxy
        that was admitted is then known after any crash. So is the Dataplane that came with it,
        under any license.
        """
        approved = await self._approve(body, peer, look=True)
        if isinstance(approved, Refused):
            return self._refuse(approved, None, peer)
        # From here to the seat's taking there is no await: no other task decides in between.
        policy = self._license.seat_policy()
        decision = self._ledger.decide(approved.seat, approved.request.kind, policy)
        if isinstance(decision, Refused):
            return self._refuse(decision, approved.seat, peer)
        held = self._take(approved, policy, peer.gone)
        with ExitStack() as undo:
            undo.callback(self.release, held)
            arrival = await self._confirm(held, approved, policy)
            if isinstance(arrival, Refused):
                return self._refuse(arrival, approved.seat, peer)
            held.line = self._line(approved, policy, arrival)
            undo.pop_all()
        self._note_admitted(decision, held.holder, policy)
        return held

    async def _confirm(
        self, held: HeldSeat, approved: _Approved, policy: SeatPolicy
    ) -> Arrival | Refused:
        """What has to be waited for before a proxy is admitted, once its seat is taken."""
        if self._shared is not None and policy.refuse_when_full:
            refused = await self._shared.claim(held.holder.record, policy.limit)
            if refused is not None:
                return refused
        self._note_high_water()
        if policy.refuse_when_full and (lost := await self._recorder.durable()) is not None:
            return lost
        return await self._presence.arrive(approved.request, held.holder, approved.tags)

    async def _approve(self, body: bytes, peer: PeerAttestor, *, look: bool) -> _Approved | Refused:
        """Shape → mesh → identity → constraints; the license comes after it. A fixed order."""
        if self._closed is not None:
            return self._closed
        request = await read(body)
        if isinstance(request, Refused):
            return request
        found = () if request.resource is None else await self._presence.findings(request)
        if isinstance(found, Refused):
            return found
        if request.mesh not in self._meshes.names():
            return no_such_mesh(request.mesh, self._meshes.names())
        looked, directory = Looked(request), self._presence.directory
        if request.resource is None and directory.may_hold(request.mesh, request.name):
            looked = await directory.look_up(request)
        attested = await peer.attest(names=self._rules.needs_names) if look else None
        allowed = _NO_RULES
        if self._rules and attested is not None:
            identified = self._rules.identify(looked.request, attested)
            if isinstance(identified, Refused):
                return identified
            allowed = identified
        if looked.stored is not None:
            refused = contradiction(request, looked.stored, allowed)
            if refused is not None:
                return refused
            request = looked.request
        # Asked again, because it may have been deleted while the process was looked at.
        if request.mesh not in self._meshes.names():
            return no_such_mesh(request.mesh, self._meshes.names())
        of_mesh = self._meshes.constraints(request.mesh)
        if of_mesh is not None:
            refused = constraints.refusal(of_mesh, request, zone=self._zone, added=allowed.tags)
            if refused is not None:
                return refused
        seat = SeatId(self._zone, request.mesh, request.name)
        stored, warnings = looked.stored is not None, (*found, *looked.warnings)
        return _Approved(request, seat, allowed.tags, attested, stored, warnings)

    def _take(self, approved: _Approved, policy: SeatPolicy, gone: Callable[[], bool]) -> HeldSeat:
        peer = approved.peer
        assert peer is not None, "a seat is taken for a peer that was looked at"  # noqa: S101
        record = SeatRecord(approved.seat, approved.request.kind, self._wall_clock())
        holder, unseated = self._ledger.take(record, policy, peer=peer, gone=gone)
        for ghost in unseated:
            self._unseat(ghost)
        self._recorder.change(record.seat, record)
        self._presence.taken(record, has_resource=approved.stored)
        held = HeldSeat(holder)
        self._seats[holder] = held
        return held

    def _note_admitted(
        self, decision: Admitted | AdmittedOverLimit, holder: Holder, policy: SeatPolicy
    ) -> None:
        record, peer = holder.record, holder.peer
        over = isinstance(decision, AdmittedOverLimit)
        code = "over-limit" if over else "within-limit" if holder.counted else "not-counted"
        self.decisions["admitted", code] += 1
        log.info(
            "admission-admitted: %s %s (%s) pid %d uid %d unit %r; %d of %d seats",
            code,
            record.seat.path,
            record.kind.value,
            peer.pid,
            peer.uid,
            peer.unit_name or "none",
            self.active,
            policy.limit,
        )

    def _line(
        self,
        approved: _Approved,
        policy: SeatPolicy,
        arrival: Arrival = _NOT_ARRIVED,
        *,
        active_more: int = 0,
    ) -> bytes:
        return admitted_line(
            approved.seat,
            approved.request.kind,
            license_text=self._texts.text(policy, self.active, active_more=active_more),
            tags=approved.tags,
            token=arrival.token,
            warnings=(*approved.warnings, *arrival.warnings, *self._recorder.warnings),
        )

    def _refuse(self, refused: Refused, seat: SeatId | None, peer: PeerAttestor) -> Refused:
        self.count_refusal(refused.code)
        if self._refusals.may_be_told(f"uid {peer.uid}"):
            seat_path, reason = seat.path if seat else "-", refused.reason[:LOGGED_CHARACTERS_MAX]
            line = "admission-refused: %s %s pid %d uid %d: %s"
            log.info(line, refused.code, seat_path, peer.pid, peer.uid, ascii(reason)[1:-1])
        return refused

    def attach(
        self, held: HeldSeat, send_line: Callable[[bytes], bool], end: Callable[[], None]
    ) -> None:
        """Connect the seat with its connection: events go to `send_line`, which must not block.

        `end` is called when the seat goes to another connection, or ends, at once if it already
        has.
        """
        if held.last_line:
            send_line(held.last_line)
        if held.lost or held.last_line:
            end()
            return
        held.end = end
        self._listeners[held.holder] = send_line

    def release(self, held: HeldSeat) -> None:
        """The connection has ended: its seat is free, unless it was kept or another has it."""
        if self._give_back(held):
            seat = held.holder.record.seat
            if held.line:
                log.info("admission-released: %s; %d seats held", seat.path, self.active)

    def _give_back(self, held: HeldSeat) -> bool:
        self._forget(held.holder)
        freed = not held.kept and self._ledger.free(held.holder)
        if freed:
            self._note_free(held.holder.record.seat)
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
        """Tell the holder why, and end the connection; then the seat is free."""
        holder = self._ledger.holder_of(seat)
        held = self._seats.get(holder) if holder is not None else None
        if holder is None or held is None or held.last_line:
            return
        log.info("seat-ended: %s: %s", seat.path, event["code"])
        held.last_line = event_line(event)
        send_line = self._listeners.get(holder)
        if send_line is not None and held.end is not None:
            send_line(held.last_line)
            held.end()

    def _note_free(self, seat: SeatId) -> None:
        self._recorder.change(seat, None)
        self._presence.left(seat)

    def _unseat(self, ghost: Holder) -> None:
        held = self._seats.get(ghost)
        self._forget(ghost)
        if self._ledger.holder_of(ghost.record.seat) is None:
            self._note_free(ghost.record.seat)
        if held is not None:
            held.lost = True
            if held.end is not None:
                held.end()

    def lose(self, seat: SeatId) -> None:
        """Another control plane has the seat now."""
        holder = self._ledger.holder_of(seat)
        self._ledger.drop(seat)
        if holder is None:
            self._note_free(seat)
            return
        self.end_seat(seat, seat_moved(seat))
        self._ledger.free(holder)
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

        The seats of `remembered` have been given to `reserve` before the socket was opened.
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
                self._note_free(seat)
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
