"""Which proxies hold seats, and bringing the resources in line with it.

An admission waits for what it registers and for its token, and for nothing else here: insights and
what is to be removed are written behind its back, each seat's last state at once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.admission.socket_messages import seat_ended
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.arrivals import Arrival, Arrivals
from kong_mesh_cp.usecases.admission.attendance import Attendance, Shown, StreamFacts
from kong_mesh_cp.usecases.admission.departures import Departures
from kong_mesh_cp.usecases.admission.proxy_directory import ProxyDirectory
from kong_mesh_cp.usecases.admission.requests import busy
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import ChangeRefusedError
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory

if TYPE_CHECKING:  # a start does not wait for what reads and writes resources
    from kong_mesh_cp.usecases.admission.dataplane_registrar import DataplaneRegistrar, MayReplace
    from kong_mesh_cp.usecases.admission.proxy_records import ProxyRecords
    from kong_mesh_cp.usecases.admission.proxy_tokens import ProxyTokens

LAG_SECONDS_MAX: Final = 0.1  # of insights behind the seats; also, a client may restart meanwhile
RETRY_SECONDS: Final = 1.0  # after the store has failed
WRITERS_MAX: Final = 64  # seats that are brought in line at once
START_SECONDS_MAX: Final = 5.0  # so long from the start on, admissions wait for what it makes
CONFLICT_SECONDS: Final = 0.02  # before what another writer was faster with is done again
# As core/insights/liveness.py, which a start does not wait for, says it to those who look.
GENERATIONS_PER_IDLE_TIMEOUT: Final = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What comes later than the socket."""

    registering: DataplaneRegistrar
    tokens: ProxyTokens
    records: ProxyRecords


Ending = Callable[[SeatId, Mapping[str, object]], None]


class Presence:
    """Follows the seats that `Admissions` gives and takes. All methods belong to one event loop."""

    def __init__(
        self,
        directory: ProxyDirectory,
        meshes: MeshDirectory,
        *,
        zone: str,
        idle_seconds: float,
        shown_seconds: float = 10.0,
        stay_seconds: float = 10.0,
    ) -> None:
        """After `idle_seconds` without a sign of life a connection is taken for a dead one's. What
        streams count is shown every `shown_seconds`. `stay_seconds`: see `Departures`.
        """
        self.directory = directory
        directory.changed = self._note_changed
        self._zone = zone
        self._beat_seconds = idle_seconds / GENERATIONS_PER_IDLE_TIMEOUT
        self._meshes = meshes
        self._services: Services | None = None
        self._served = trio.Event()
        self._begun = trio.Event()  # what is registered from now on is found after a crash
        self._attending: dict[SeatId, Attendance] = {}
        self._shown_seconds = shown_seconds
        self._departures = Departures(stay_seconds)
        self._due: dict[SeatId, int] = {}  # to be brought in line; the number of the last change
        self._changes = 0
        self._start_ends = math.inf
        self._work = trio.Event()
        self._complaints = FailureLog(
            log,
            "proxies-not-recorded",
            "proxies-recorded-again",
            meanwhile="admissions go on, but Dataplanes and their insights do not show who is"
            " there",
            over="the store takes insights of proxies again",
            level=logging.WARNING,
        )
        self._arrivals = Arrivals(meshes)
        self.end_seat: Ending = lambda _seat, _event: None  # to be set by who has the connections
        self.failures = 0

    @property
    def pending(self) -> int:
        """Proxies whose resources are not in line yet."""
        return len(self._due)

    def serve(self, services: Services) -> None:
        """From now on Dataplanes are registered and tokens made."""
        self._services = services
        self._served.set()

    # What an admission asks before it is decided.

    async def findings(self, request: AdmissionRequest) -> Refused | Sequence[tuple[str, str]]:
        """What is wrong with the Dataplane of a request by itself, or with its taking the place
        of the stored one. Otherwise what there is to warn of: code and message.
        """
        with trio.move_on_at(self._start_ends):
            await self._served.wait()
        if self._services is None:
            return _starting()
        registering = self._services.registering
        found = await registering.findings(request)
        if isinstance(found, Refused):
            return found
        refused = None
        if self.directory.may_hold(request.mesh, request.name):
            refused = await registering.replaceable(request)
        return found if refused is None else refused

    # What becomes of a seat.

    def taken(
        self, record: SeatRecord, *, has_resource: bool, stream: StreamFacts | None = None
    ) -> None:
        """A connection has the seat; one that had it before has it no more, through this door."""
        seat = record.seat
        former = self._attending.get(seat)
        if stream is None and former is not None and former.stream is not None:
            former.has_resource |= has_resource  # what is shown is the stream
        else:
            self._departures.part(former)
            self._attending[seat] = Attendance(record, has_resource, stream=stream)
        self._departures.back(seat)
        # What changed of the Dataplane while this was decided is read again.
        if has_resource or seat in self._due or self.directory.may_hold(seat.mesh, seat.name):
            self._note(seat)

    async def arrive(
        self, request: AdmissionRequest, record: SeatRecord, tags: Tags, uid: int
    ) -> Arrival | Refused:
        """Register the proxy if it asks for that, and make its token. A process of `uid` has the
        seat of `record`; `tags` are those that a rule adds. After a refusal, or when it is
        cancelled, the seat has to be given back.
        """
        seat = record.seat
        attendance = self._attending[seat]
        if request.resource is not None:
            refused = await self.possible(seat)
            if refused is not None:
                return refused
            assert self._services is not None  # noqa: S101 — it has begun
            attendance.may_have_resource = True
            refused = await self._services.registering.register(request, tags, uid)
            if refused is not None:
                return refused
            attendance.has_resource = True
            self._note(seat)
        tag_sets = [{**each, **tags} for each in request.tag_sets]
        return await self._with_token(record, tag_sets)

    async def register(
        self, seat: SeatId, document: Mapping[str, object], may_replace: MayReplace
    ) -> None:
        """Register the Dataplane that has come over the stream that has the seat, once that is
        `possible`. Raises: StateError, ResourceRefusedError, and what `may_replace` raises.
        """
        assert self._services is not None  # noqa: S101 — it has begun
        attendance = self._attending[seat]
        attendance.may_have_resource = True
        await self._services.registering.register_over_stream(seat, document, may_replace)
        attendance.has_resource = True
        self._note(seat)

    async def register_zone_proxy(self, key: ResourceKey, document: Mapping[str, object]) -> None:
        """Make or replace the ZoneIngress or ZoneEgress `key`, which has come over a stream.

        Raises: StateError, ResourceRefusedError.
        """
        with trio.move_on_at(self._start_ends):
            await self._begun.wait()
        if self._services is None or not self._begun.is_set():
            refused = _starting()
            raise StateError(refused.reason, code=refused.code, hint=refused.hint)
        await self._services.registering.register_zone_proxy(key, document)

    def without_stream(self, record: SeatRecord) -> None:
        """The stream has ended, and the process of `record` has the seat still."""
        former = self._attending[record.seat]
        self._departures.part(former)
        self._attending[record.seat] = Attendance(
            record, former.has_resource, former.may_have_resource
        )
        self._note(record.seat)

    def left(self, seat: SeatId) -> None:
        """No proxy has the seat."""
        attendance = self._attending.pop(seat, None)
        self._departures.part(attendance)
        # Without a Dataplane there is nothing to be said; a proxy of before a restart may have
        # left something, and that is looked for at the end of the reclaim window.
        if attendance and (attendance.has_resource or attendance.may_have_resource):
            self._note(seat)

    def mesh_vanished(self, mesh: str) -> None:
        """Its proxies are of no mesh any more."""
        for seat in [each for each in self._attending if each.mesh == mesh]:
            self.end_seat(seat, seat_ended("mesh-deleted", f"there is no mesh {mesh} any more"))

    async def possible(self, seat: SeatId) -> Refused | None:
        """Return when a Dataplane can be registered, or why it cannot yet."""
        with trio.move_on_at(self._start_ends):
            await self._begun.wait()
            await self._meshes.made(seat.mesh)
        return None if self._begun.is_set() else _starting()

    async def _with_token(self, record: SeatRecord, tag_sets: Sequence[Tags]) -> Arrival:
        with trio.move_on_at(self._start_ends):
            await self._served.wait()
            await self._meshes.made(record.seat.mesh)  # its signing key comes with it
        tokens = None if self._services is None else self._services.tokens
        return await self._arrivals.equip(record, tag_sets, tokens)

    # Bringing the store in line.

    async def run(self, reclaim_seconds: float) -> NoReturn:
        """Until cancelled. What runs before have left goes `reclaim_seconds` from now."""
        self._start_ends = trio.current_time() + START_SECONDS_MAX
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.directory.follow)
            await self._served.wait()
            assert self._services is not None  # noqa: S101
            nursery.start_soon(self._services.tokens.follow)
            nursery.start_soon(self._beat)
            ends = trio.current_time() + reclaim_seconds
            await self._through(self._services.records.start_run)
            self._begun.set()
            nursery.start_soon(self._write)
            nursery.start_soon(self._show_streams)
            nursery.start_soon(self._departures.follow, self._note)
            await trio.sleep_until(ends)
            await self._through(self._clear_up)
            await trio.sleep_forever()
        raise AssertionError("the nursery is never done")

    async def flush(self) -> None:
        """Try once to write all that is due. Cancelling it loses nothing."""
        if not self._begun.is_set():
            return
        due = tuple(self._due.items())
        failed: list[StateError] = []
        for start in range(0, len(due), WRITERS_MAX):
            async with trio.open_nursery() as nursery:
                for seat, change in due[start : start + WRITERS_MAX]:
                    nursery.start_soon(self._bring_in_line, seat, change, failed)
            if failed:  # it will fail the others, too
                self._note_failure(failed[0])
                return
        self._complaints.succeeded()
        if not self._due:
            self._work = trio.Event()

    async def _write(self) -> NoReturn:
        while True:
            await self._work.wait()
            await trio.sleep(RETRY_SECONDS if self._complaints.failing else LAG_SECONDS_MAX)
            await self.flush()

    async def _bring_in_line(self, seat: SeatId, change: int, failed: list[StateError]) -> None:
        try:
            await self._show_or_clear(seat)
        except ChangeRefusedError:
            return  # another writer was faster: it stays due
        except StateError as error:
            failed.append(error)
            return
        if self._due.get(seat) == change:
            del self._due[seat]

    async def _show_or_clear(self, seat: SeatId) -> None:
        assert self._services is not None  # noqa: S101 — it has begun
        records = self._services.records
        attendance = self._attending.get(seat)
        departures = self._departures
        parted, for_good = departures.parted(seat), departures.is_for_good(seat)
        if attendance is None:
            await records.mark_offline(seat, parted, for_good=for_good)
            departures.written(seat, parted, for_good=for_good)
            return
        had_resource = attendance.has_resource
        shown = await records.mark_online(attendance, parted)
        departures.written(seat, parted, for_good=for_good)
        if self._attending.get(seat) is not attendance:
            return  # it left meanwhile, which is due by now
        match shown:
            case Shown.NO_RESOURCE if had_resource:
                path = f"the Dataplane {seat.name} of mesh {seat.mesh}"
                self.end_seat(seat, seat_ended("dataplane-deleted", f"{path} was deleted"))
            case Shown.OTHER_KIND:
                reason = f"{seat.name} of mesh {seat.mesh} is another kind of proxy now"
                self.end_seat(seat, seat_ended("kind-changed", reason))
            case Shown.DONE:
                attendance.has_resource = True
            case _:
                pass

    async def _show_streams(self) -> NoReturn:
        """What streams count is shown from time to time."""
        while True:
            await trio.sleep(self._shown_seconds)
            for seat, attendance in self._attending.items():
                stream = attendance.stream
                if stream is not None and stream.due and attendance.has_resource:
                    attendance.counts_due = True
                    self._note_due(seat)

    async def _clear_up(self) -> None:
        """Remove what earlier runs left of proxies that have not come back."""
        assert self._services is not None  # noqa: S101 — it has begun
        records = self._services.records
        for seat in await records.leftovers(self._zone):
            if seat in self._attending:
                await records.adopt(seat)
            else:
                await records.mark_offline(seat, for_good=True)
        await records.forget_previous_runs()

    async def _through(self, write: Callable[[], Awaitable[None]]) -> None:
        """Do `write`, which can be done again, until the store has taken all of it."""
        while True:
            try:
                await write()
            except ChangeRefusedError:
                await trio.sleep(CONFLICT_SECONDS)  # another writer was faster
            except StateError as error:
                self._note_failure(error)
                await trio.sleep(RETRY_SECONDS)
            else:
                self._complaints.succeeded()
                return

    async def _beat(self) -> NoReturn:
        while True:
            await trio.sleep(self._beat_seconds)
            for seat, attendance in self._attending.items():
                if attendance.has_resource:
                    attendance.beat_due = True
                    self._note_due(seat)

    def _note_changed(self, dataplane: ResourceKey | None) -> None:
        """Something has become of a Dataplane; None: of any."""
        if dataplane is not None:
            seat = SeatId(self._zone, dataplane.mesh, dataplane.name)
            if seat in self._attending:
                self._note(seat)
            return
        for seat, attendance in self._attending.items():
            if attendance.has_resource or self.directory.may_hold(seat.mesh, seat.name):
                self._note(seat)

    def _note(self, seat: SeatId) -> None:
        """What is stored of the proxy is to be looked at, and brought in line."""
        attendance = self._attending.get(seat)
        if attendance is not None:
            attendance.look_due = True
        self._note_due(seat)

    def _note_due(self, seat: SeatId) -> None:
        self._changes += 1
        self._due[seat] = self._changes
        self._work.set()

    def _note_failure(self, error: StateError) -> None:
        self.failures += 1
        self._complaints.failed(error)


def _starting() -> Refused:
    return busy("the control plane is still starting", "Ask again in a moment.")
