"""Seats that several control planes on one store count together.

Under a license that refuses when full an admission waits for the store's yes (`claim`). Under
another one nothing waits: the seats are written to the store a moment later, so that all of them
are counted, and so that a change of license finds them there.

A store that does not answer takes no seat away from its holder. It gives none either,
where the number must hold: the admission is refused as `busy`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn, Protocol

import trio

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.ledger import FULL_RETRY_SECONDS, SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.admission.socket_messages import seat_ended
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import SLOT_RENEWAL_SECONDS, SeatSlots

LOOK_SECONDS = 2.0  # between two counts of what others hold
GATHER_SECONDS = 0.05  # for changes that go to the store together
CLAIM_SECONDS_MAX = 5.0  # that an admission waits for its turn
BUSY_SECONDS = 2  # after the store has failed: so long no caller waits for it

log = logging.getLogger(__name__)


class PolicyInForce(Protocol):
    """The license's rule for seats, as of now."""

    def seat_policy(self) -> SeatPolicy: ...


class SharedSeats:
    """What this control plane holds, kept up with the store and it with the ledger.

    Resource handling: owns nothing; the caller runs `run` while admissions are made.
    """

    def __init__(
        self, slots: SeatSlots, ledger: SeatLedger, license_in_force: PolicyInForce
    ) -> None:
        self._slots = slots
        self._ledger = ledger
        self._license = license_in_force
        self._turn = trio.Lock()  # one at a time: what is said last is what holds
        self._new: dict[SeatId, SeatRecord] = {}  # taken here, and the store does not know it
        self._freed: set[SeatId] = set()
        self._claiming: set[SeatId] = set()
        self._work = trio.Event()
        self._renewed_at = -SLOT_RENEWAL_SECONDS
        self._busy_until = 0.0
        self._complaints = FailureLog(
            log,
            "seats-not-shared",
            "seats-shared-again",
            meanwhile="who has a seat keeps it, and new ones are refused as busy under a license"
            " that refuses when full",
            over="the store counts seats again",
            level=logging.WARNING,
        )
        self.lose: Callable[[SeatId], None] = lambda _seat: None  # set by the composition root

    def changed(self, seat: SeatId, record: SeatRecord | None) -> None:
        """The seat has been taken here, or freed (None)."""
        if record is None:
            self._new.pop(seat, None)
            self._freed.add(seat)
        elif record.kind.counted:
            self._freed.discard(seat)
            self._new[seat] = record
        self._work.set()

    async def begin(self, remembered: Sequence[SeatRecord]) -> tuple[SeatRecord, ...]:
        """Those of `remembered` whose seats are still ours. Raises: StateError."""
        async with self._turn:
            ours = await self._slots.renew()
            missing = [one for one in remembered if one.kind.counted and one.seat not in ours]
            back = await self._slots.regain(missing, self._limit())
            self._ledger.note_elsewhere(await self._slots.elsewhere())
            self._renewed_at = trio.current_time()
        return tuple(one for one in remembered if one not in missing or one.seat in back)

    async def claim(self, record: SeatRecord, limit: int) -> Refused | None:
        """Take a seat of `limit` in the store; None: it is taken, for as long as it is held here.

        To be called in the same step as the ledger's `take`.
        """
        seat = record.seat
        self._new.pop(seat, None)
        if not record.kind.counted:
            return None
        if trio.current_time() < self._busy_until:
            return _busy()
        self._claiming.add(seat)
        try:
            with trio.move_on_after(CLAIM_SECONDS_MAX):
                await self._turn.acquire()
                return await self._claim(record, limit)
            return _busy()
        finally:
            self._claiming.discard(seat)

    async def _claim(self, record: SeatRecord, limit: int) -> Refused | None:
        """Gives the turn back."""
        try:
            # Once it is asked, the answer is waited for: a seat that no control plane knows of
            # would be lost.
            with trio.CancelScope(shield=True):
                await self._give_back()
                taken = await self._slots.claim(record, limit)
        except StateError as error:
            self._note_failure(error)
            return _busy()
        finally:
            self._turn.release()
        self._complaints.succeeded()
        return None if taken else _full(limit)

    async def would_claim(self, seat: SeatId, limit: int) -> Refused | None:
        """What `claim` would say. Takes nothing."""
        try:
            room = await self._slots.has_room(seat, limit)
        except StateError:
            return _busy()
        return None if room else _full(limit)

    async def run(self) -> NoReturn:
        """Keep up until cancelled."""
        while True:
            with trio.move_on_after(LOOK_SECONDS):
                await self._work.wait()
                await trio.sleep(GATHER_SECONDS)
            self._work = trio.Event()
            try:
                async with self._turn:
                    await self._keep_up()
            except StateError as error:
                self._note_failure(error)
                self._work.set()
                await trio.sleep(BUSY_SECONDS)
            else:
                self._complaints.succeeded()

    async def flush(self) -> None:
        """Once more at the end: what was freed need not run out. What is held stays held."""
        try:
            async with self._turn:
                await self._give_back()
        except StateError as error:
            self._note_failure(error)

    async def _keep_up(self) -> None:
        await self._give_back()
        new = dict(self._new)
        if new:
            await self._slots.hold(list(new.values()))
            for seat, record in new.items():
                if self._new.get(seat) is record:
                    del self._new[seat]
        if trio.current_time() - self._renewed_at >= SLOT_RENEWAL_SECONDS:
            began = trio.current_time()
            await self._renew()
            self._renewed_at = began
        self._ledger.note_elsewhere(await self._slots.elsewhere())

    async def _renew(self) -> None:
        ours = await self._slots.renew()
        held = {record.seat: record for record in self._settled()}
        # What was claimed for a caller that was gone before the answer.
        self._freed |= {seat for seat in ours - held.keys() if self._is_settled(seat)}
        missing = [record for seat, record in held.items() if seat not in ours]
        if not missing:
            return
        # They ran out while the store could not be asked, or another control plane has them now.
        back = await self._slots.regain(missing, self._limit())
        for record in missing:
            if record.seat not in back and self._is_settled(record.seat):
                log.warning(
                    "seat-lost: %s is held by another control plane on this store, or its place"
                    " was given away while the store could not be reached; its connection ends."
                    " If two processes have that name, stop one of them",
                    record.seat.path,
                )
                self.lose(record.seat)

    def _settled(self) -> Iterable[SeatRecord]:
        for record in self._ledger.records():
            if record.kind.counted and self._is_settled(record.seat):
                yield record

    def _is_settled(self, seat: SeatId) -> bool:
        return not (seat in self._new or seat in self._freed or seat in self._claiming)

    async def _give_back(self) -> None:
        for seat in tuple(self._freed):
            await self._slots.free(seat)
            self._freed.discard(seat)

    def _limit(self) -> int | None:
        policy = self._license.seat_policy()
        return policy.limit if policy.refuse_when_full else None

    def _note_failure(self, error: StateError) -> None:
        self._busy_until = trio.current_time() + BUSY_SECONDS
        self._complaints.failed(error)


def seat_moved(seat: SeatId) -> Mapping[str, object]:
    """The last line for the holder of `seat` on this control plane."""
    return seat_ended(
        "seat-moved",
        f"the seat of {seat.name} in mesh {seat.mesh} was taken at another control plane",
        "Stop the other process of that name, or join under another name.",
    )


def _busy() -> Refused:
    return Refused(
        code=RefusalCode.BUSY,
        reason="the store that counts the seats of all control planes does not answer",
        hint="Ask again; the log of the control plane says what is wrong with its store.",
        retry_after_seconds=BUSY_SECONDS,
    )


def _full(limit: int) -> Refused:
    return Refused(
        code=RefusalCode.LICENSE_LIMIT,
        reason=f"all {limit} seats of the pre-bundled license are taken, over all control planes"
        " on this store",
        hint=(
            "Stop a data plane proxy, or set KMESH_LICENSE_PATH to an issued license and run: "
            "systemctl restart kong-mesh-cp"
        ),
        retry_after_seconds=FULL_RETRY_SECONDS,
    )
