"""What the store says of the proxies that hold seats: their insights, and what they registered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.core.admission.stored_proxy import stored_proxy
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.insights import proxy_subscriptions
from kong_mesh_cp.core.insights.certificate_facts import with_certificate
from kong_mesh_cp.core.insights.liveness import generation_moved
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.insights import DATAPLANE_KIND, DataplaneInsight
from kong_mesh_cp.usecases.admission.attendance import Attendance, KnownInsight, Shown
from kong_mesh_cp.usecases.admission.proxy_directory import DATAPLANE
from kong_mesh_cp.usecases.admission.registrations import (
    REGISTRATION,
    Registration,
    Run,
    registration_key,
)
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    Delete,
    Put,
    ResourceStore,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import spec_as, spec_text

RUN: Final = "AdmissionRun"  # one for each control plane on the store; no client sees this type
INSIGHT: Final = "DataplaneInsight"

log = logging.getLogger(__name__)


class ProxyRecords:
    """Brings the store in line with who holds seats. All methods raise StateError, and
    ChangeRefusedError when another writer was faster: then the same call has to be made again.
    """

    def __init__(
        self,
        store: ResourceStore,
        *,
        run: Run,
        takes_over: bool,
        subscriptions_max: int,
        new_id: Callable[[], str],
        wall_clock: WallClock,
    ) -> None:
        """`takes_over`: as with `DataplaneRegistrar`. Otherwise what a client of the API has
        written since it was registered stays.
        """
        self._store = store
        self._run = ResourceKey(RUN, "", run.plane)
        self._instance = run.instance
        self._takes_over = takes_over
        self._subscriptions_max = subscriptions_max
        self._new_id = new_id
        self._wall_clock = wall_clock
        self._dead: tuple[str, ...] = ()  # earlier runs of which something may be left

    async def start_run(self) -> None:
        """Write down that this run may leave something behind, and learn which runs may have.

        To be called, until it gets through, before anything is registered.
        """
        stored = await self._store.get(self._run)
        if stored is not None:
            self._dead = tuple(json.loads(stored.spec)["instances"])
        await self._save_runs((*self._dead, self._instance))

    async def mark_online(self, attendance: Attendance, parted: Attendance | None = None) -> Shown:
        """The proxy is there: its insight says so, if it has a Dataplane. `parted`: a stream of it
        that has ended.
        """
        keys = _keys(attendance.record.seat)
        known = await self._look(keys, attendance)
        if isinstance(known, Shown):
            return known
        stored = known.insight
        before = _with_stream(stored, parted)
        now = self._wall_clock()
        if not attendance.subscription:
            attendance.subscription = self._new_id()
            attendance.shown_since = proxy_subscriptions.nanoseconds(attendance.record.since)
        elif proxy_subscriptions.is_closed(before, attendance.subscription):
            if proxy_subscriptions.is_elsewhere(before, self._own):
                return Shown.DONE  # it has moved, and the seat will follow: it is not fought for
            # Another control plane took this one for dead.
            attendance.subscription = self._new_id()
            attendance.shown_since = proxy_subscriptions.nanoseconds(now)
        after = connected = proxy_subscriptions.connected(
            before,
            subscription=attendance.subscription,
            instance=self._instance,
            since=attendance.shown_since,
            subscriptions_max=self._subscriptions_max,
        )
        told, stream = _told(attendance), attendance.stream
        # Counts alone are worth no write until it is time for them.
        shows_counts = attendance.counts_due or attendance.beat_due or connected is not stored
        if shows_counts:
            after = _with_stream(connected, attendance)
        if attendance.beat_due and connected is before:
            after = generation_moved(after, attendance.subscription)
        if after is not stored:
            put = _put(keys, after, known, now)
            applied = await self._store.apply([put])
            known = KnownInsight(after, applied.changes[0].version, known.labels)
        attendance.known = known
        attendance.beat_due = False
        if shows_counts:
            attendance.counts_due = False
            if stream is not None and _told(attendance) == told:
                stream.due = False
        return Shown.DONE

    async def _look(
        self, keys: tuple[ResourceKey, ResourceKey], attendance: Attendance
    ) -> KnownInsight | Shown:
        """The insight to write on top of. That of `attendance` is only had once: whatever comes of
        the write, what is known after it is written down by who has made it.
        """
        known, attendance.known = attendance.known, None
        if known is not None and not attendance.look_due:
            return known
        attendance.look_due = False
        found = await self._store.get_many(keys)
        dataplane, insight = (found.get(key) for key in keys)
        if dataplane is None:
            return Shown.NO_RESOURCE
        if stored_proxy(dataplane.spec).kind.counted != attendance.record.kind.counted:
            return Shown.OTHER_KIND
        return _known(insight)

    async def mark_offline(
        self, seat: SeatId, parted: Attendance | None = None, *, for_good: bool = True
    ) -> None:
        """The proxy is gone: so is what it registered, and whatever else it had says so. What it
        registered over a stream stays, until it is gone `for_good`. `parted`: its last stream.
        """
        dataplane_key, insight_key = keys = _keys(seat)
        mark_key = registration_key(seat.mesh, seat.name)
        found = await self._store.get_many([*keys, mark_key])
        if dataplane_key not in found:
            return
        known = _known(found.get(insight_key))
        stored = known.insight
        changes: list[Change] = []
        mark, dataplane = found.get(mark_key), found[dataplane_key]
        if mark is not None and self._has_to_remove(mark, for_good=for_good):
            # The registration goes first: it went with a Dataplane that was deleted meanwhile,
            # and then what is called like it now is another instance's.
            changes.append(Delete.as_read(mark))
            if self._may_remove(Registration.read(mark), dataplane, stored):
                await self._store.apply([*changes, Delete.as_read(dataplane)])
                log.info("dataplane-removed: %s of mesh %s left", seat.name, seat.mesh)
                return
        now = proxy_subscriptions.nanoseconds(self._wall_clock())
        told = _with_stream(stored, parted)
        after = proxy_subscriptions.disconnected(told, instances=self._own, at=now)
        if after is not stored:
            changes.append(_put(keys, after, known, self._wall_clock()))
        if changes:
            await self._store.apply(changes)

    def _has_to_remove(self, mark: StoredResource, *, for_good: bool) -> bool:
        registered = Registration.read(mark)
        return registered.instance in self._own and (for_good or not registered.over_stream)

    def _may_remove(
        self, registered: Registration, dataplane: StoredResource, insight: DataplaneInsight
    ) -> bool:
        """Whether nobody else has the Dataplane by now."""
        key = dataplane.key
        if registered.over_stream:
            if not proxy_subscriptions.was_last_elsewhere(insight, self._own):
                return True
            log.info("dataplane-kept: %s of mesh %s has moved away", key.name, key.mesh)
            return False
        if self._takes_over or registered.is_of(dataplane):
            return True
        log.info(
            "dataplane-kept: %s of mesh %s left, and a client of the API has written its Dataplane",
            key.name,
            key.mesh,
        )
        return False

    async def leftovers(self, zone: str) -> Collection[SeatId]:
        """The proxies of which earlier runs have left something."""
        found: set[SeatId] = set()
        if not self._dead:
            return found
        for type_name in (REGISTRATION, INSIGHT):
            # All at once, not by pages: what goes away between two of them would hide others.
            page = await self._store.list(Selection(type=type_name))
            # To look for the text is much cheaper than reading thousands of insights, and what is
            # found in vain does no harm.
            found.update(
                SeatId(zone, stored.key.mesh, stored.key.name)
                for stored in page.items
                if any(each in stored.spec for each in self._dead)
            )
        return found

    async def adopt(self, seat: SeatId) -> None:
        """What the proxy registered with an earlier run is to be removed by this one."""
        key = registration_key(seat.mesh, seat.name)
        mark = await self._store.get(key)
        if mark is None:
            return
        registered = Registration.read(mark)
        if registered.instance in self._dead:
            adopted = replace(registered, instance=self._instance)
            dataplane = ResourceKey(DATAPLANE, seat.mesh, seat.name)
            put = adopted.put(dataplane, self._wall_clock(), mark.version)
            await self._store.apply([put])

    async def forget_previous_runs(self) -> None:
        """Nothing is left of earlier runs."""
        if self._dead:
            await self._save_runs((self._instance,))
            self._dead = ()

    @property
    def _own(self) -> tuple[str, ...]:
        return (self._instance, *self._dead)

    async def _save_runs(self, instances: Collection[str]) -> None:
        spec = json.dumps({"instances": list(instances)})
        await self._store.apply([Put(key=self._run, spec=spec, at=self._wall_clock())])


def _keys(seat: SeatId) -> tuple[ResourceKey, ResourceKey]:
    """Of the Dataplane and of its insight."""
    return (
        ResourceKey(DATAPLANE, seat.mesh, seat.name),
        ResourceKey(INSIGHT, seat.mesh, seat.name),
    )


def _read(stored: StoredResource | None) -> DataplaneInsight:
    if stored is None:
        return DataplaneInsight()
    try:
        return spec_as(DataplaneInsight, stored)
    except (ParseError, InvalidResourceError):
        return DataplaneInsight()  # nothing in it could be shown, so nothing is lost


def _told(attendance: Attendance) -> object:
    """What is shown of its stream, to be compared with what it is a moment later."""
    stream = attendance.stream
    return None if stream is None else (stream.status(), stream.certificate)


def _with_stream(insight: DataplaneInsight, attendance: Attendance | None) -> DataplaneInsight:
    """`insight` with the last state of the stream of `attendance`, if it has one."""
    stream = None if attendance is None else attendance.stream
    if attendance is None or stream is None:
        return insight
    shown = proxy_subscriptions.with_stream(
        insight, attendance.subscription, stream.status(), stream.version
    )
    return with_certificate(shown, stream.certificate) if stream.knows_certificate else shown


def _known(stored: StoredResource | None) -> KnownInsight:
    if stored is None:
        return KnownInsight(_read(None), 0, {})
    return KnownInsight(_read(stored), stored.version, stored.labels)


def _put(
    keys: tuple[ResourceKey, ResourceKey],
    insight: DataplaneInsight,
    before: KnownInsight,
    at: datetime,
) -> Put:
    dataplane, key = keys
    return Put(
        key=key,
        spec=spec_text(DATAPLANE_KIND, insight),
        labels=before.labels,
        owner=dataplane,
        at=at,
        if_version=before.version,
    )
