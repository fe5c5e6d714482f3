"""What is recorded of the connections between a global control plane and those of its zones.

The global one records all of its zones, a zone's itself.

Source: docs/wire/zone-sync.md#zoneinsight
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, Final, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.exchanges import Counts
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.timestamps import nanoseconds_of
from kong_mesh_cp.core.insights.zone_subscriptions import (
    are_compatible,
    status_of,
    with_connection,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import EnvoyAdminStreams, ZoneHealth, ZoneInsight
from kong_mesh_cp.core.resources.kinds.subscriptions import KdsSubscription, ZoneVersion
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import (
    ChangeRefusedError,
    NotFoundError,
    Put,
    ResourceStore,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import readable_as, spec_text
from kong_mesh_cp.usecases.zone_sync.sync_ports import PeerTold
from kong_mesh_cp.usecases.zone_sync.synced_kinds import SYNCED_KINDS

ZONE_INSIGHT: Final = "ZoneInsight"
ATTEMPTS_MAX: Final = 5  # of a write, where other control planes write the same insight
SUBSCRIPTIONS_MAX: Final = 10  # that are remembered of a zone

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingTerms:
    """How often is written what is known. In seconds."""

    flush: float
    idle: float  # after which a connection without a sign of life is closed by others


@dataclass(slots=True, kw_only=True)
class _Record:
    """What is known of a zone here, and not written yet."""

    connections: dict[str, KdsSubscription] = field(default_factory=dict)
    heard_at: int | None = None
    asked: bool = False  # who asks the zone's Envoys has changed

    def note(self, connection: KdsSubscription) -> None:
        """Of those that have come while the store fails the latest are kept, as in an insight."""
        self.connections[connection.id] = connection
        if len(self.connections) > SUBSCRIPTIONS_MAX:
            del self.connections[next(iter(self.connections))]

    @property
    def is_empty(self) -> bool:
        return not self.connections and self.heard_at is None and not self.asked


class Connection:
    """One connection of a zone, from `ZoneInsights.connected` to `ended`."""

    def __init__(self, insights: ZoneInsights, zone: str, subscription: KdsSubscription) -> None:
        self._insights = insights
        self._zone = zone
        self._subscription = subscription
        self._counts: Mapping[str, Counts] = {}

    def counted(self, counts: Mapping[str, Counts]) -> None:
        """What its stream has sent and heard by now."""
        counts = dict(counts)
        if counts != self._counts:
            self._counts = counts
            status = status_of(counts, self._insights.now())
            self._change(replace(self._subscription, status=status))

    def lives(self) -> None:
        """A sign of life for the control planes that share the store."""
        self._change(replace(self._subscription, generation=self._subscription.generation + 1))

    def end(self) -> None:
        """Recorded with the next flush."""
        self._insights.forget(self)
        self._change(replace(self._subscription, disconnect_time=self._insights.now()))

    async def ended(self) -> None:
        """Recorded before this returns, unless the store fails."""
        self.end()
        await self._insights.record(self._zone)

    def _change(self, subscription: KdsSubscription) -> None:
        self._subscription = subscription
        self._insights.note(self._zone, subscription)


class ZoneInsights:
    """Writes ZoneInsights: at once when a zone comes or goes, and what it counts in between."""

    def __init__(
        self,
        store: ResourceStore,
        instance: str,
        terms: RecordingTerms,
        wall_clock: WallClock,
        new_id: Callable[[], str],
        *,
        is_global: bool = True,
    ) -> None:
        """`instance`: this control plane, which is the global one or a zone's."""
        self._is_global = is_global
        self._store = store
        self._instance = instance
        self._terms = terms
        self._wall_clock = wall_clock
        self._new_id = new_id
        self._records: dict[str, _Record] = {}
        self._asking: dict[str, dict[str, str]] = {}  # by zone, fields of EnvoyAdminStreams
        self._alive: set[Connection] = set()
        self._writing = trio.Lock()
        self._complaints = FailureLog(log, "zone-insights-not-written", "zone-insights-again")

    async def run(self) -> NoReturn:
        """Until cancelled."""
        moved = trio.current_time()
        while True:
            await trio.sleep(self._terms.flush)
            if trio.current_time() - moved >= self._terms.idle / 2:
                moved = trio.current_time()
                for connection in self._alive:
                    connection.lives()
            await self.flush()

    async def flush(self) -> None:
        """Write what is not written yet. A store that fails is asked again the next time."""
        for zone in list(self._records):
            await self.record(zone, whole=True)

    async def connected(self, zone: str, peer: PeerTold, *, with_token: bool) -> Connection:
        """A stream to the zone has begun; the Zone is there."""
        version = replace(
            peer.version,
            kuma_cp_global_compatible=are_compatible(WIRE_VERSION, peer.version.version),
        )
        subscription = KdsSubscription(
            id=self._new_id(),
            global_instance_id=self._instance if self._is_global else peer.instance,
            zone_instance_id=peer.instance if self._is_global else self._instance,
            connect_time=self.now(),
            version=ZoneVersion(kuma_cp=version),
            config=peer.config,
            auth_token_provided=with_token,
            status=status_of({}, self.now()),
        )
        connection = Connection(self, zone, subscription)
        self._alive.add(connection)
        self.note(zone, subscription)
        has_begun = False
        try:
            await self.record(zone)
            has_begun = True
        finally:
            if not has_begun:  # the zone went meanwhile, and nobody else would say so
                connection.end()
        return connection

    def forget(self, connection: Connection) -> None:
        self._alive.discard(connection)

    def heard(self, zone: str) -> None:
        """Its health check has come."""
        self._record(zone).heard_at = self.now()

    def asked_through(self, zone: str, stream: str, *, here: bool) -> None:
        """Whether the zone's Envoys are asked through this control plane now.

        `stream`: the field of EnvoyAdminStreams. Recorded with what is counted; the Zone may not
        be there yet.
        """
        self._asking.setdefault(zone, {})[stream] = self._instance if here else ""
        self._record(zone).asked = True

    def note(self, zone: str, subscription: KdsSubscription) -> None:
        self._record(zone).note(subscription)

    def now(self) -> int:
        return nanoseconds_of(self._wall_clock())

    def _record(self, zone: str) -> _Record:
        return self._records.setdefault(zone, _Record())

    async def record(self, zone: str, *, whole: bool = False) -> None:
        """Write what is known of the zone. `whole`: with who asks its Envoys, which can wait."""
        async with self._writing:
            record = self._records.pop(zone, None)
            if record is None or record.is_empty:
                return
            if record.asked and not whole:
                self._record(zone).asked, record.asked = True, False
            is_written = False
            try:
                is_written = await self._has_written(zone, record)
            finally:
                if not is_written:
                    self._keep(zone, record)

    async def _has_written(self, zone: str, record: _Record) -> bool:
        try:
            await self._write(zone, record)
        except StateError as error:
            self._complaints.failed(error)
            return False
        except ChangeRefusedError:
            return False  # others write it all the time
        self._complaints.succeeded()
        newer = self._records.get(zone)
        if not any(self._asking.get(zone, {}).values()) and not (newer and newer.asked):
            self._asking.pop(zone, None)  # or every name that ever came would be kept
        return True

    def _keep(self, zone: str, record: _Record) -> None:
        """For the next time, unless something newer is known by now."""
        newer = self._record(zone)
        known, newer.connections = newer.connections, record.connections
        for connection in known.values():
            newer.note(connection)
        newer.asked |= record.asked
        if newer.heard_at is None:
            newer.heard_at = record.heard_at

    async def _write(self, zone: str, record: _Record) -> None:
        key = ResourceKey(ZONE_INSIGHT, "", zone)
        for left in reversed(range(ATTEMPTS_MAX)):
            stored = await self._store.get(key)
            before = None if stored is None else readable_as(ZoneInsight, stored)
            asking = self._asking.get(zone, {}) if record.asked else {}
            after = _merged(before or ZoneInsight(), record, asking, self._instance)
            if after == before:
                return
            put = Put(
                key=key,
                spec=spec_text(SYNCED_KINDS[ZONE_INSIGHT], after),
                at=self._wall_clock(),
                labels={} if stored is None else stored.labels,
                owner=ResourceKey("Zone", "", zone),
                if_version=0 if stored is None else stored.version,
            )
            try:
                await self._store.apply([put])
            except NotFoundError:
                return  # the Zone is gone, and its insight with it
            except ChangeRefusedError:
                if not left:
                    raise
            else:
                return


def _merged(
    insight: ZoneInsight, record: _Record, asking: Mapping[str, str], instance: str
) -> ZoneInsight:
    for connection in record.connections.values():
        insight = with_connection(insight, connection, subscriptions_max=SUBSCRIPTIONS_MAX)
    if asking:
        streams = insight.envoy_admin_streams or EnvoyAdminStreams()
        # One that has gone to another control plane meanwhile is that one's.
        changed: dict[str, Any] = {
            name: value
            for name, value in asking.items()
            if value or getattr(streams, name) == instance
        }
        insight = replace(insight, envoy_admin_streams=replace(streams, **changed))
    if record.heard_at is not None:
        insight = replace(insight, health_check=ZoneHealth(time=record.heard_at))
    return insight
