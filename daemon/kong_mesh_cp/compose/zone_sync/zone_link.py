"""Wires the connection of a zone's control plane to its global one."""

from __future__ import annotations

import json
import platform
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.zone_sync.zones import FEATURES, new_id, own_version
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.access import View
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.core.zone_sync.belonging import FromGlobal
from kong_mesh_cp.core.zone_sync.directions import CONFIG, UP
from kong_mesh_cp.core.zone_sync.going_down import CLUSTER_ID, Offer, Terms
from kong_mesh_cp.core.zone_sync.going_up import offer_up
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.core.zone_sync.wire_messages import (
    AdminOutputFormat,
    AdminRequest,
    ConfigDumpRequest,
    FormattedRequest,
)
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.envoy_admin.calls import HttpAdminCalls
from kong_mesh_cp.shell.grpc.dialing import Address, Trust
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.zone_sync import methods
from kong_mesh_cp.shell.zone_sync.dialled_calls import Dialler
from kong_mesh_cp.shell.zone_sync.sync_messages import OwnNode
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.inspection.envoy_admin import AdminCallError, Question, ZoneAnswers
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange
from kong_mesh_cp.usecases.zone_sync.global_side import CLIENT_ID, HASH_SUFFIX
from kong_mesh_cp.usecases.zone_sync.global_side import FEATURES as FEATURES_HEADER
from kong_mesh_cp.usecases.zone_sync.offers import Offers
from kong_mesh_cp.usecases.zone_sync.received_resources import Arrivals
from kong_mesh_cp.usecases.zone_sync.synced_kinds import config_of
from kong_mesh_cp.usecases.zone_sync.zone_insights import RecordingTerms, ZoneInsights
from kong_mesh_cp.usecases.zone_sync.zone_side import ZoneSide

FLUSH_SECONDS: Final = 10.0  # between two records of what the zone's own streams count

_VIEWS: Final = {methods.STATS: View.STATS, methods.CLUSTERS: View.CLUSTERS}


class ZoneLink:
    """What keeps a zone and its global control plane in agreement."""

    def __init__(
        self, plane: ControlPlane, settings: Settings, config: Mapping[str, object]
    ) -> None:
        """`config`: the effective one, without secrets; the global control plane shows it."""
        zone, store = settings.multizone.zone, plane.replica.store
        address = Address.parse(zone.global_address or "")
        self._plane = plane
        self.insights = ZoneInsights(
            store,
            plane.instance,
            RecordingTerms(
                flush=FLUSH_SECONDS, idle=settings.metrics.zone.idle_timeout.total_seconds()
            ),
            clocks.wall_clock,
            new_id,
            is_global=False,
        )

        def made(resource: SyncedResource) -> Offer | None:
            told = offer_up(resource, zone.name, zone.kds.labels.skip_prefixes)
            if told is None:
                return None
            return Offer(resource=told, plain_name=told.key.name, terms=Terms())

        offers = Offers(plane.replica, UP, made)
        self._answers = ZoneAnswers(
            store,
            HttpAdminCalls(AdminAuthority(store).of_control_plane),
            settings.bootstrap_server.params.admin_port,
        )
        version = own_version()
        dialler = Dialler(
            address,
            Trust(authorities=zone.kds.root_ca_file, is_blind=zone.kds.tls_skip_verify),
            OwnNode(
                id=zone.name,
                instance=plane.instance,
                version=version,
                config=json.dumps(config, separators=(",", ":")),
                features=FEATURES,
            ),
            (
                (CLIENT_ID, zone.name),
                ("kds-version", "v3"),
                ("version", version.version),
                (FEATURES_HEADER, "zone-ping-health"),
                (FEATURES_HEADER, HASH_SUFFIX),
            ),
            self._ask,
            user_agent=f"kds/{WIRE_VERSION} (linux; {platform.machine()}; kong-mesh-cp)",
        )
        general = settings.general
        side = ZoneSide(
            zone.name,
            Arrivals(store, FromGlobal(), clocks.wall_clock),
            offers,
            self.insights,
            dialler,
            pauses=(
                general.resilient_component_base_backoff.total_seconds(),
                general.resilient_component_max_backoff.total_seconds(),
            ),
            jitter=random.random,
        )
        self.background: Sequence[Callable[[], Awaitable[object]]] = (
            offers.run,
            self.insights.run,
            side.run,
            self._follow_cluster,
        )

    async def _ask(self, path: str, request: AdminRequest) -> bytes:
        """`shell.zone_sync.dialled_calls.AskEnvoy`."""
        proxy = ResourceKey(request.resource_type, request.resource_mesh, request.resource_name)
        try:
            return await self._answers.answer(proxy, _question(path, request))
        except AdminCallError as error:
            raise ValueError(str(error)) from None
        except StateError as error:
            raise ValueError(f"{error.code}: {error.message}") from None

    async def _follow_cluster(self) -> None:
        """The cluster of a zone is that of its global control plane, as far as it has met it."""
        await self._plane.replica.follow(
            [CONFIG], read=self._show_cluster, take=self._take, outcomes=_Unlogged()
        )

    async def _take(self, change: ResourceChange) -> None:
        if change.key.name == CLUSTER_ID:
            await self._show_cluster()

    async def _show_cluster(self) -> None:
        stored = await self._plane.replica.store.get(ResourceKey(CONFIG, "", CLUSTER_ID))
        api = self._plane.api
        api.index = replace(api.index, cluster_id=config_of(stored))


class _Unlogged:
    """The offers of the same store say that it fails."""

    def failed(self, error: StateError) -> None:
        pass

    def succeeded(self) -> None:
        pass


def _question(path: str, request: AdminRequest) -> Question:
    if isinstance(request, ConfigDumpRequest):
        return Question(view=View.CONFIG_DUMP, include_endpoints=request.include_eds)
    as_json = isinstance(request, FormattedRequest) and request.format is AdminOutputFormat.JSON
    return Question(view=_VIEWS[path], as_json=as_json)
