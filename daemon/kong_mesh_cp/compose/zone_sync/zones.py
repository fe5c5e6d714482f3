"""Wires what a global control plane and its zones say to each other; made with the first call."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import trio

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.core.identity.access import View
from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.core.identity.rsa_keys import SigningKey
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.subscriptions import KumaCpVersion
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.core.zone_sync.directions import DOWN
from kong_mesh_cp.core.zone_sync.going_down import (
    MULTI_ZONE_NAMES,
    OPTIONAL_TARGET,
    PRODUCER_POLICIES,
    Offer,
    offer_down,
)
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.grpc.calls import Method
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.zone_sync.served_calls import zone_methods
from kong_mesh_cp.shell.zone_sync.sync_messages import OwnNode
from kong_mesh_cp.usecases.inspection.envoy_admin import AdminCallError
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.zone_sync.admin_tunnel import AdminTunnel, Question, TunnelError
from kong_mesh_cp.usecases.zone_sync.global_side import HASH_SUFFIX, GlobalSide
from kong_mesh_cp.usecases.zone_sync.offers import Offers
from kong_mesh_cp.usecases.zone_sync.zone_insights import RecordingTerms, ZoneInsights

_QUESTIONS: Final[Mapping[View, Question]] = {
    View.CONFIG_DUMP: Question.CONFIG_DUMP,
    View.STATS: Question.STATS,
    View.CLUSTERS: Question.CLUSTERS,
}
FEATURES: Final = ("zone-token", HASH_SUFFIX, MULTI_ZONE_NAMES, PRODUCER_POLICIES, OPTIONAL_TARGET)


def own_version() -> KumaCpVersion:
    """As other control planes are told it: that of the wire."""
    return KumaCpVersion(version=WIRE_VERSION, git_tag=WIRE_VERSION)


def _public_half(pem: bytes) -> bytes | None:
    try:
        return SigningKey.parse(pem).verifier.pem()
    except SigningKeyError:
        return None


def new_id() -> str:
    return str(uuid.uuid4())


class Zones:
    """What zones are told and tell, and the calls over which they do."""

    def __init__(self, plane: ControlPlane, settings: Settings) -> None:
        kds, store = settings.multizone.global_.kds, plane.replica.store
        skipped = kds.labels.skip_prefixes

        def made(resource: SyncedResource) -> Offer | None:
            return offer_down(resource, _public_half, skipped)

        offers = Offers(plane.replica, DOWN, made)
        self.insights = ZoneInsights(
            store,
            plane.instance,
            RecordingTerms(
                flush=kds.zone_insight_flush_interval.total_seconds(),
                idle=settings.metrics.zone.idle_timeout.total_seconds(),
            ),
            clocks.wall_clock,
            new_id,
        )
        self._side = GlobalSide(store, offers, self.insights, clocks.wall_clock)
        self._plane = plane
        self._has_begun = False
        self._beginning = trio.Lock()
        self.tunnel = AdminTunnel(self.insights, new_id)

        def node_of(zone: str) -> OwnNode:
            return OwnNode(
                id=zone,
                instance=plane.instance,
                version=own_version(),
                config="",
                features=FEATURES,
            )

        self.methods: Mapping[str, Method] = zone_methods(
            self._begun_side, self.tunnel, node_of, interval=0
        )
        self.background: Sequence[Callable[[], Awaitable[object]]] = (
            offers.run,
            self.insights.run,
        )

    async def ask(
        self, proxy: StoredResource, view: View, *, include_endpoints: bool, as_json: bool
    ) -> bytes:
        """`usecases.inspection.envoy_admin.ZoneEnvoys`."""
        zone = proxy.labels.get(labels.ZONE, "")
        shown = labels.display_name(proxy.key.name, proxy.labels)
        namespace = proxy.labels.get(labels.NAMESPACE)
        if namespace and await self._side.is_on_kubernetes(zone):
            shown = f"{shown}.{namespace}"
        try:
            return await self.tunnel.ask(
                zone,
                _QUESTIONS[view],
                proxy.key._replace(name=shown),
                include_endpoints=include_endpoints,
                as_json=as_json,
            )
        except TunnelError as error:
            raise AdminCallError(str(error)) from error

    async def _begun_side(self) -> GlobalSide:
        """With what zones are told first. A store that fails is asked again with the next call.

        Raises: StateError.
        """
        async with self._beginning:
            if not self._has_begun:
                await self._side.keep_cluster_id(await self._plane.store.cluster_id())
                self._has_begun = True
        return self._side
