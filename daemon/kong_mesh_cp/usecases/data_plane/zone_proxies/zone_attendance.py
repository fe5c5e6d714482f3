"""Zone proxies that have a stream here, and what the store shows of them.

They take no seats: neither a license nor a quota counts them. Insights are written behind the back
of streams, as those of data plane proxies are.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.insights import proxy_subscriptions
from kong_mesh_cp.core.insights.liveness import generation_moved
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import ProxyInsight
from kong_mesh_cp.usecases.admission.attendance import StreamFacts
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.places import superseded
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending, StreamEndedError
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_types import (
    EGRESS,
    INGRESS,
    ZONE_TYPES,
)
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    ChangeKind,
    ChangeRefusedError,
    Delete,
    Put,
    ResourceChange,
    StoredResource,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import readable_as, spec_text
from kong_mesh_cp.usecases.resources.kinds import KINDS

LAG_SECONDS_MAX: Final = 0.1  # of insights behind the streams
RETRY_SECONDS: Final = 1.0  # after the store has failed
GENERATIONS_PER_IDLE_TIMEOUT: Final = 2  # as of data plane proxies

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneAttendanceTerms:
    """What the settings say of connections."""

    instance: str  # this run of the control plane
    subscriptions_max: int  # that an insight shows
    shown_seconds: float  # between two looks at what streams have counted
    idle_seconds: float  # without a sign of life, after which a connection counts as dead
    stay_seconds: float  # so long what was registered over a stream outlives it


class ZonePlace:
    """See `Place`."""

    def __init__(
        self,
        kind: ProxyKind,
        name: str,
        facts: StreamFacts,
        released: Callable[[ZonePlace], None],
        *,
        is_registered: bool,
    ) -> None:
        self.kind = kind
        self.name = name
        self.facts = facts
        self.is_registered = is_registered
        self.is_kept = False
        self.subscription = ""
        self.since = 0
        self.beats_at = math.inf
        self.shown_at = 0.0
        self._released = released
        self._error: StreamEndedError | None = None
        self._end: Callable[[], None] | None = None

    @property
    def key(self) -> ResourceKey:
        return ZONE_TYPES[self.kind].key(self.name)

    @property
    def insight_key(self) -> ResourceKey:
        return ZONE_TYPES[self.kind].insight_key(self.name)

    def attach(self, end: Callable[[], None]) -> None:
        self._end = end
        if self._error is not None:
            end()

    def raise_if_ended(self) -> None:
        if self._error is not None:
            raise self._error

    def keep(self) -> None:
        self.is_kept = True

    def release(self) -> None:
        self._released(self)

    def end(self, error: StreamEndedError) -> None:
        """Its stream is to end so."""
        if self._error is None:
            self._error = error
            if self._end is not None:
                self._end()


class ZoneAttendance:
    """Belongs to the event loop."""

    def __init__(
        self,
        replica: Replica,
        terms: ZoneAttendanceTerms,
        *,
        new_id: Callable[[], str],
        wall_clock: WallClock,
    ) -> None:
        self._replica = replica
        self._store = replica.store
        self._terms = terms
        self._new_id = new_id
        self._wall_clock = wall_clock
        self._places: dict[ResourceKey, ZonePlace] = {}
        self._parted: dict[ResourceKey, ZonePlace] = {}  # whose end is to be written
        self._leaving: dict[ResourceKey, float] = {}  # when what was registered goes
        self._news = trio.Event()
        self._complaints = FailureLog(log, "zone-proxies-not-shown", "zone-proxies-shown-again")

    def take(
        self, kind: ProxyKind, name: str, facts: StreamFacts, *, is_registered: bool
    ) -> ZonePlace:
        """A stream of the proxy is there, in the place of one before."""
        place = ZonePlace(kind, name, facts, self._release, is_registered=is_registered)
        former = self._places.get(place.key)
        if former is not None:
            former.end(superseded())
            place.is_registered |= former.is_registered
        place.is_registered |= self._leaving.pop(place.key, None) is not None
        self._parted.pop(place.key, None)
        place.since = proxy_subscriptions.nanoseconds(self._wall_clock())
        self._places[place.key] = place
        self._news.set()
        log.info("zone-proxy-joined: %s %s", place.key.type, name)
        return place

    @contextmanager
    def expecting(self, kind: ProxyKind, name: str) -> Iterator[None]:
        """Inside of `with`, what the proxy has registered before stays: it registers anew. Where
        that raises, it goes when it was to go.
        """
        key = ZONE_TYPES[kind].key(name)
        due = self._leaving.pop(key, None)
        has_registered = False
        try:
            yield
            has_registered = True
        finally:
            if not has_registered and due is not None and key not in self._places:
                self._leaving[key] = due
                self._news.set()

    def _release(self, place: ZonePlace) -> None:
        if self._places.get(place.key) is not place:
            return
        del self._places[place.key]
        log.info("zone-proxy-left: %s %s", place.key.type, place.name)
        self._parted[place.key] = place
        if place.is_registered and not place.is_kept:
            self._leaving[place.key] = trio.current_time() + self._terms.stay_seconds
        self._news.set()

    async def run(self) -> NoReturn:
        """Keep the store in line, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            while True:
                with trio.move_on_at(self._next_due()):
                    await self._news.wait()
                self._news = trio.Event()
                await trio.sleep(LAG_SECONDS_MAX)
                try:
                    await self.flush()
                except StateError as error:
                    self._complaints.failed(error)
                    await trio.sleep(RETRY_SECONDS)
                    self._news.set()
                else:
                    self._complaints.succeeded()
        raise AssertionError("the nursery ends with an error or is cancelled")

    async def flush(self) -> None:
        """Write all that is due. Raises: StateError; then it is due still."""
        for key, place in [*self._parted.items()]:
            await self._written(place, self._offline)
            if self._parted.get(key) is place:
                del self._parted[key]
        now = trio.current_time()
        for place in [*self._places.values()]:
            if self._due_at(place) <= now:
                await self._written(place, self._online)
        for key, at in [*self._leaving.items()]:
            if at <= now:
                await self._remove(key)
                if self._leaving.get(key) == at:
                    del self._leaving[key]

    def _next_due(self) -> float:
        due = [*map(self._due_at, self._places.values()), *self._leaving.values()]
        return min(due, default=math.inf)

    def _due_at(self, place: ZonePlace) -> float:
        if not place.subscription:
            return -math.inf
        shown_at = place.shown_at + self._terms.shown_seconds
        return min(place.beats_at, shown_at if place.facts.due else math.inf)

    async def _written(
        self, place: ZonePlace, change: Callable[[ZonePlace, ProxyInsight], ProxyInsight]
    ) -> None:
        """The insight of `place` after `change`, unless its resource is gone."""
        while True:
            found = await self._store.get_many([place.key, place.insight_key])
            if place.key not in found:
                place.subscription = place.subscription or self._new_id()
                place.beats_at, place.facts.due = math.inf, False
                return
            stored = found.get(place.insight_key)
            before = self._insight(place, stored)
            after = change(place, before)
            if after is before:
                return
            put = Put(
                key=place.insight_key,
                spec=spec_text(KINDS[place.insight_key.type], after),
                labels={} if stored is None else stored.labels,
                owner=place.key,
                at=self._wall_clock(),
                if_version=0 if stored is None else stored.version,
            )
            try:
                await self._store.apply([put])
            except ChangeRefusedError:
                continue  # another writer was faster
            return

    def _insight(self, place: ZonePlace, stored: StoredResource | None) -> ProxyInsight:
        kind = ZONE_TYPES[place.kind].insight
        found = None if stored is None else readable_as(kind, stored)
        return kind() if found is None else found

    def _online(self, place: ZonePlace, insight: ProxyInsight) -> ProxyInsight:
        now, terms = trio.current_time(), self._terms
        if not place.subscription or proxy_subscriptions.is_closed(insight, place.subscription):
            place.subscription = self._new_id()
            place.beats_at = now
        found = proxy_subscriptions.connected(
            insight,
            subscription=place.subscription,
            instance=terms.instance,
            since=place.since,
            subscriptions_max=terms.subscriptions_max,
        )
        if place.beats_at <= now:
            found = generation_moved(found, place.subscription)
            place.beats_at = now + terms.idle_seconds / GENERATIONS_PER_IDLE_TIMEOUT
        place.shown_at, place.facts.due = now, False
        return self._counted(place, found)

    def _offline(self, place: ZonePlace, insight: ProxyInsight) -> ProxyInsight:
        now = proxy_subscriptions.nanoseconds(self._wall_clock())
        return proxy_subscriptions.disconnected(
            self._counted(place, insight), instances=[self._terms.instance], at=now
        )

    def _counted(self, place: ZonePlace, insight: ProxyInsight) -> ProxyInsight:
        facts = place.facts
        return proxy_subscriptions.with_stream(
            insight, place.subscription, facts.status(), facts.version
        )

    async def _remove(self, key: ResourceKey) -> None:
        """What was registered over a stream that has not come back, here or elsewhere."""
        of_type = next(each for each in ZONE_TYPES.values() if each.resource == key.type)
        found = await self._store.get_many([key, of_type.insight_key(key.name)])
        stored, shown = found.get(key), found.get(of_type.insight_key(key.name))
        insight = None if shown is None else readable_as(of_type.insight, shown)
        own = [self._terms.instance]
        moved = insight is not None and proxy_subscriptions.was_last_elsewhere(insight, own)
        # It may have come back meanwhile, or be about to.
        if stored is None or moved or key not in self._leaving:
            return
        try:
            await self._store.apply([Delete.as_read(stored)])
        except ChangeRefusedError:
            return  # it is someone else's by now
        log.info("zone-proxy-removed: %s %s left", key.type, key.name)

    async def _follow(self) -> NoReturn:
        """A zone proxy whose resource is deleted has no business here."""
        await self._replica.follow(
            {EGRESS, INGRESS},
            read=self._read,
            take=self._take_change,
            outcomes=FailureLog(log, "zone-proxies-not-followed", "zone-proxies-followed-again"),
        )

    async def _read(self) -> None:
        keys = [*self._places]
        found = await self._store.get_many(keys)
        self._end(key for key in keys if key not in found)

    async def _take_change(self, change: ResourceChange) -> None:
        if change.kind is ChangeKind.DELETED:
            self._end([change.key])

    def _end(self, keys: Iterable[ResourceKey]) -> None:
        for key in keys:
            place = self._places.get(key)
            if place is not None:
                text = f"zone-proxy-deleted: the {key.type} {key.name} was deleted"
                hint = "Make it again, or stop the proxy."
                place.end(StreamEndedError(Ending.GONE, text, code="zone-proxy-deleted", hint=hint))
