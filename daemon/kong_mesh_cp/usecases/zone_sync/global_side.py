"""The global control plane's part of what it and its zones say to each other.

Source: docs/wire/zone-sync.md#streams, docs/wire/zone-sync.md#zones
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import is_object
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.formats.strict_json import StrictJsonError, parse
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import ZoneInsight
from kong_mesh_cp.core.resources.meta import name_reason
from kong_mesh_cp.core.zone_sync.belonging import FromZone
from kong_mesh_cp.core.zone_sync.directions import CONFIG, DOWN_ORDER, UP
from kong_mesh_cp.core.zone_sync.going_down import CLUSTER_ID
from kong_mesh_cp.usecases.ports.resource_store import AlreadyExistsError, Put, ResourceStore
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import readable_as, text_of
from kong_mesh_cp.usecases.zone_sync.offers import ZONE, Offers, Recipient
from kong_mesh_cp.usecases.zone_sync.received_resources import Arrivals
from kong_mesh_cp.usecases.zone_sync.receiving import receive
from kong_mesh_cp.usecases.zone_sync.sending import Sender
from kong_mesh_cp.usecases.zone_sync.sync_ports import (
    Ending,
    PeerTold,
    ReceivingStream,
    SendingStream,
    SyncEndedError,
)
from kong_mesh_cp.usecases.zone_sync.zone_insights import ZONE_INSIGHT, Connection, ZoneInsights

CLIENT_ID: Final = "client-id"
FEATURES: Final = "features"
AUTHORIZATION: Final = "authorization"
HASH_SUFFIX: Final = "hash-suffix"
ENDING_SECONDS: Final = 5.0  # for the end of a connection to reach the store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ZoneTold:
    """What each call of a zone's control plane says of itself."""

    zone: str
    hashes_names: bool
    with_token: bool

    @classmethod
    def of(cls, metadata: Mapping[str, tuple[str, ...]]) -> ZoneTold:
        """Raises: SyncEndedError."""
        names = metadata.get(CLIENT_ID, ())
        if len(names) != 1:
            raise SyncEndedError(Ending.UNNAMED, f'"{CLIENT_ID}" is not present in metadata')
        reason = name_reason(names[0])
        if reason is not None:
            raise SyncEndedError(Ending.MISNAMED, f"{CLIENT_ID} is no name of a zone: {reason}")
        return cls(
            names[0],
            hashes_names=HASH_SUFFIX in metadata.get(FEATURES, ()),
            with_token=len(metadata.get(AUTHORIZATION, ())) == 1,
        )


class GlobalSide:
    """One global control plane's. Its methods raise SyncEndedError and StateError."""

    def __init__(
        self,
        store: ResourceStore,
        offers: Offers,
        insights: ZoneInsights,
        wall_clock: WallClock,
    ) -> None:
        self._store = store
        self._offers = offers
        self._insights = insights
        self._wall_clock = wall_clock

    async def keep_cluster_id(self, cluster_id: str) -> None:
        """Zones take it from there."""
        key = ResourceKey(CONFIG, "", CLUSTER_ID)
        await self._make(key, {"config": cluster_id})

    async def global_to_zone(self, told: ZoneTold, stream: SendingStream) -> None:
        """Tell the zone what is for it, until one side has had enough."""
        await self._ensure(told.zone)
        connection: Connection | None = None

        async def begin(peer: PeerTold) -> Recipient:
            nonlocal connection
            connection = await self._insights.connected(told.zone, peer, with_token=told.with_token)
            log.info("zone-connected: %s, version %s", told.zone, printable(peer.version.version))
            return Recipient(told.zone, peer.features, told.hashes_names)

        sender = Sender(
            stream,
            self._offers,
            DOWN_ORDER,
            lambda table: None if connection is None else connection.counted(table.counts),
        )
        try:
            await sender.run(begin)
        finally:
            if connection is not None:
                log.info("zone-disconnected: %s", told.zone)
                with trio.CancelScope(shield=True, deadline=_moment()):
                    await connection.ended()

    async def zone_to_global(self, told: ZoneTold, stream: ReceivingStream) -> None:
        """Take what the zone has, until one side has had enough."""
        await self._ensure(told.zone)
        arrivals = Arrivals(
            self._store,
            FromZone(told.zone, told.hashes_names),
            self._wall_clock,
            owner=ResourceKey(ZONE, "", told.zone),
        )
        await receive(stream, UP, arrivals, identifier=told.zone)

    async def is_on_kubernetes(self, zone: str) -> bool:
        """As its control plane says; there its proxies have their namespace in their names."""
        stored = await self._store.get(ResourceKey(ZONE_INSIGHT, "", zone))
        insight = None if stored is None else readable_as(ZoneInsight, stored)
        if insight is None or not insight.subscriptions:
            return False
        try:
            config = parse(insight.subscriptions[-1].config.encode())
        except (StrictJsonError, UnicodeError):
            return False
        store = config.get("store") if is_object(config) else None
        return is_object(store) and store.get("type") == "kubernetes"

    def heard(self, told: ZoneTold) -> None:
        self._insights.heard(told.zone)

    async def _ensure(self, zone: str) -> None:
        key = ResourceKey(ZONE, "", zone)
        if await self._store.get(key) is None and await self._make(key, {"enabled": True}):
            log.info("zone-made: %s has come for the first time", zone)

    async def _make(self, key: ResourceKey, document: Mapping[str, object]) -> bool:
        """Whether it was not there."""
        put = Put(key=key, spec=text_of(document), at=self._wall_clock(), if_version=0)
        try:
            await self._store.apply([put])
        except AlreadyExistsError:
            return False
        return True


def _moment() -> float:
    return trio.current_time() + ENDING_SECONDS
