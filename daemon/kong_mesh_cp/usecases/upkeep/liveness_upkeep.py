"""Closes connections whose holders are gone, and takes out proxies that stay away.

A control plane that dies leaves its connections open in the store. The control plane that holds one
moves its generation on; one that stands still is closed by any control plane that is alive.

Source: docs/wire/dataplanes.md#liveness
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.formats.timestamps import format_timestamp, nanoseconds_of
from kong_mesh_cp.core.insights.liveness import closed, offline_since, open_generations
from kong_mesh_cp.core.license.quoted_text import plain
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import (
    DataplaneInsight,
    ProxyInsight,
    ZoneEgressInsight,
    ZoneIngressInsight,
    ZoneInsight,
)
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import (
    ChangeRefusedError,
    Delete,
    Put,
    ResourceStore,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import readable_as, spec_text
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.sweeping import sweep

COLLECTION_SECONDS: Final = 60.0  # between two looks for proxies that stay away, at the most

Insight = ProxyInsight | ZoneInsight

_PROXIES: Final[Mapping[str, type[ProxyInsight]]] = {
    "Dataplane": DataplaneInsight,
    "ZoneEgress": ZoneEgressInsight,
    "ZoneIngress": ZoneIngressInsight,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleTimeouts:
    """After which a connection whose generation stands still is closed, in seconds.

    None: such connections are held, and so closed, by control planes of another mode.
    """

    dataplane: float | None  # of all proxies: `metrics.dataplane.idleTimeout`
    zone: float | None  # of zones: `metrics.zone.idleTimeout`


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupAges:
    """After which a proxy that is away is taken out (`runtime.universal`), in seconds."""

    dataplane: float
    zone_resource: float  # zone ingresses and egresses


class ConnectionCloser:
    """Closes, at each look, what has not moved since the look before."""

    def __init__(self, store: ResourceStore, timeouts: IdleTimeouts, wall_clock: WallClock) -> None:
        self._store = store
        self._timeouts = timeouts
        self._wall_clock = wall_clock
        # The open connections of the last look, by type.
        self._seen: dict[str, Mapping[ResourceKey, Mapping[str, int]]] = {}
        self._complaints = FailureLog(log, "connections-not-closed", "connections-closed-again")

    async def run(self) -> None:
        """Until cancelled. A store that fails is asked again at the next look, and said once."""
        timeouts = self._timeouts
        async with trio.open_nursery() as nursery:
            if timeouts.dataplane is not None:
                nursery.start_soon(self._look_every, timeouts.dataplane, tuple(_PROXIES.values()))
            if timeouts.zone is not None:
                nursery.start_soon(self._look_every, timeouts.zone, (ZoneInsight,))

    async def _look_every(self, seconds: float, types: Sequence[type[Insight]]) -> NoReturn:
        while True:
            try:
                for insight_type in types:
                    await self._look(insight_type)
            except StateError as error:
                self._complaints.failed(error)
            else:
                self._complaints.succeeded()
            await trio.sleep(seconds)

    async def _look(self, insight_type: type[Insight]) -> None:
        type_name = insight_type.__name__
        before = self._seen.get(type_name, {})
        seen: dict[ResourceKey, Mapping[str, int]] = {}
        gone: list[str] = []
        async for stored in sweep(self._store, Selection(type=type_name)):
            insight = readable_as(insight_type, stored)
            if insight is None:
                continue  # the count of proxies logs it
            generations = open_generations(insight)
            known = before.get(stored.key, {})
            still = [each for each in generations if known.get(each) == generations[each]]
            if still and await self._close(stored, insight, still):
                gone.append(_named(stored.key))
            elif generations:
                seen[stored.key] = generations
        self._seen[type_name] = seen
        if gone:
            log.warning(
                "connections-closed: %d of type %s, %s the first, belonged to a control plane that"
                " gives no sign of life, and count as offline now. If it should be alive, look"
                " there: systemctl status kong-mesh-cp",
                len(gone),
                type_name,
                gone[0],
            )

    async def _close(self, stored: StoredResource, insight: Insight, ids: list[str]) -> bool:
        """Whether it was still as it was read."""
        now = self._wall_clock()
        spec = closed(insight, ids, nanoseconds_of(now))
        put = Put(
            key=stored.key,
            spec=spec_text(KINDS[stored.key.type], spec),
            status=stored.status,
            labels=stored.labels,
            at=now,
            owner=stored.owner,
            if_version=stored.version,
        )
        try:
            await self._store.apply([put])
        except ChangeRefusedError:
            return False  # it has moved after all, or is gone
        return True


class AbsenceCollector:
    """Takes out proxies whose last connection ended long ago, with their insights."""

    def __init__(self, store: ResourceStore, ages: CleanupAges, wall_clock: WallClock) -> None:
        self._store = store
        self._ages = {
            "Dataplane": ages.dataplane,
            "ZoneEgress": ages.zone_resource,
            "ZoneIngress": ages.zone_resource,
        }
        self._wall_clock = wall_clock
        self._complaints = FailureLog(log, "proxies-not-removed", "proxies-removed-again")

    async def run(self) -> NoReturn:
        """Until cancelled. A store that fails is asked again at the next look, and said once."""
        seconds = min(COLLECTION_SECONDS, *self._ages.values())
        while True:
            # First a pause: after a long stop of the control plane itself all come back first.
            await trio.sleep(seconds)
            try:
                for proxy_type, insight_type in _PROXIES.items():
                    await self._collect(proxy_type, insight_type)
            except StateError as error:
                self._complaints.failed(error)
            else:
                self._complaints.succeeded()

    async def _collect(self, proxy_type: str, insight_type: type[ProxyInsight]) -> None:
        age = self._ages[proxy_type]
        async for stored in sweep(self._store, Selection(type=insight_type.__name__)):
            insight = readable_as(insight_type, stored)
            ended = None if insight is None else offline_since(insight)
            if ended is None:
                continue
            away = nanoseconds_of(self._wall_clock()) - ended
            if away > age * SECOND:
                await self._remove(proxy_type, stored, ended)

    async def _remove(self, proxy_type: str, insight: StoredResource, ended: int) -> None:
        proxy = insight.key._replace(type=proxy_type)
        # The insight goes first, as it was read: a proxy that connects meanwhile keeps both.
        changes = [Delete.as_read(insight)]
        if await self._store.get(proxy) is not None:
            changes.append(Delete(key=proxy))
        try:
            await self._store.apply(changes)
        except ChangeRefusedError:
            return  # it is back, or gone
        log.info(
            "proxy-removed: %s %s was away since %s, longer than %s allows",
            proxy_type,
            _named(proxy),
            format_timestamp(ended),
            _SETTINGS[proxy_type],
        )


_SETTINGS: Final = {
    "Dataplane": "runtime.universal.dataplaneCleanupAge",
    "ZoneEgress": "runtime.universal.zoneResourceCleanupAge",
    "ZoneIngress": "runtime.universal.zoneResourceCleanupAge",
}


def _named(key: ResourceKey) -> str:
    name = f"{key.mesh}/{key.name}" if key.mesh else key.name
    return plain(name)
