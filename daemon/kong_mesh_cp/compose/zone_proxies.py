"""Wires what zone proxies are told, and what is shown of them; imported with the first proxy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.generation import generation_terms
from kong_mesh_cp.core.xds.generate import Generated
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneWorld
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.randomness import new_token_id
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.credentials.proxy_credentials import ProxyCredentials
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing
from kong_mesh_cp.usecases.data_plane.publishing.worlds import Worlds
from kong_mesh_cp.usecases.data_plane.zone_proxies.offering import Offering
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_attendance import (
    ZoneAttendance,
    ZoneAttendanceTerms,
)
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_generating import ZoneProxyGenerator
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_pass import ZonePass
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_worlds import NO_MESH, ZoneWorlds


class ZoneProxies:
    """The egresses and ingresses of the zone that are connected here."""

    def __init__(
        self,
        plane: ControlPlane,
        settings: Settings,
        worlds: Worlds,
        credentials: ProxyCredentials,
    ) -> None:
        terms, zone = generation_terms(settings), settings.multizone.zone.name

        def changed(reached: Reached, is_offered: bool, since: float) -> None:  # noqa: FBT001
            self.publishing.take(NO_MESH, reached, since)
            if is_offered:
                self._offering.changed()

        self.worlds = ZoneWorlds(worlds, plane.replica, zone=zone, changed=changed)
        self.publishing: Publishing[Generated, ZoneWorld] = Publishing(
            self.worlds, lambda _zone: ZoneProxyGenerator(terms, credentials)
        )
        self._offering = Offering(
            plane.replica.store,
            lambda: self.worlds.world(NO_MESH),
            is_wanted=self._has_ingress,
            tag_prefixes=settings.experimental.ingress_tag_filters,
            wall_clock=clocks.wall_clock,
        )
        connections, metrics = settings.xds_server, settings.metrics.dataplane
        self.attendance = ZoneAttendance(
            plane.replica,
            ZoneAttendanceTerms(
                instance=plane.instance,
                subscriptions_max=metrics.subscription_limit,
                shown_seconds=connections.dataplane_status_flush_interval.total_seconds(),
                idle_seconds=metrics.idle_timeout.total_seconds(),
                stay_seconds=connections.dataplane_deregistration_delay.total_seconds(),
            ),
            new_id=new_token_id,
            wall_clock=clocks.wall_clock,
        )
        self.background: Sequence[Callable[[], Awaitable[object]]] = (
            self.worlds.run,
            self.publishing.run,
            self.attendance.run,
            self._offering.run,
            ZonePass(self.publishing, settings.xds_server.full_pass_interval.total_seconds()).run,
        )

    async def offer(self) -> None:
        """Until cancelled, tell what the zone offers, whether an ingress is connected or not."""
        await self._offering.offer_anyway(self.worlds.held(NO_MESH))

    def _has_ingress(self) -> bool:
        return any(
            watch.proxy.kind is ProxyKind.INGRESS for watch in self.publishing.watches(NO_MESH)
        )
