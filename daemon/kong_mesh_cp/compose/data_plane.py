"""Wires what proxies are told, and their streams; imported with the first of them.

Nothing of this costs a control plane without proxies anything: it is made with the first call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.generation import generation_terms, world_rules
from kong_mesh_cp.compose.streams import streams_of
from kong_mesh_cp.compose.zone_proxies import ZoneProxies
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.generate import Generated
from kong_mesh_cp.core.xds.health_checks import HealthTerms
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.core.xds.world import DATAPLANE, MeshWorld
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.dp_server.ads import ads_methods
from kong_mesh_cp.shell.dp_server.discovery_messages import DeltaCodec, SotwCodec
from kong_mesh_cp.shell.dp_server.hds import hds_methods
from kong_mesh_cp.shell.dp_server.resource_text import read_resource_text
from kong_mesh_cp.shell.grpc.calls import Method
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.authority_files import read_authority_file
from kong_mesh_cp.shell.host.leaf_signing import sign_leaf
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.data_plane.credentials.mesh_authorities import AuthoritiesInForce
from kong_mesh_cp.usecases.data_plane.credentials.proxy_credentials import ProxyCredentials
from kong_mesh_cp.usecases.data_plane.credentials.workload_certificates import WorkloadCertificates
from kong_mesh_cp.usecases.data_plane.health import HealthStreams
from kong_mesh_cp.usecases.data_plane.publishing.full_pass import FullPass
from kong_mesh_cp.usecases.data_plane.publishing.generating import SidecarGenerator
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing
from kong_mesh_cp.usecases.data_plane.publishing.publishing_metrics import publishing_metrics
from kong_mesh_cp.usecases.data_plane.publishing.worlds import Worlds
from kong_mesh_cp.usecases.data_plane.stream_ports import ProxyVerifier
from kong_mesh_cp.usecases.data_plane.zone_proxies.every_proxy import EveryProxy
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_worlds import NO_MESH
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.provided_authorities import ProvidedAuthorities


class DataPlane:
    """What proxies are told, and the calls over which they are told it."""

    def __init__(
        self,
        plane: ControlPlane,
        settings: Settings,
        verifier: ProxyVerifier,
        *,
        stopping: Callable[[], bool],
    ) -> None:
        replica, store = plane.replica, plane.replica.store
        authorities = AuthoritiesInForce(replica, ProvidedAuthorities(store, read_authority_file))
        certificates = WorkloadCertificates(authorities, sign_leaf, clocks.wall_clock)
        credentials = ProxyCredentials(certificates, AdminAuthority(store), self._connected)
        terms = generation_terms(settings)

        def told(mesh: str, reached: Reached, since: float) -> None:
            publishing.take(mesh, reached, since)
            zone_proxies.worlds.told(mesh, since)

        worlds = Worlds(replica, rules=world_rules(settings), told=told)
        publishing: Publishing[Generated, MeshWorld] = Publishing(
            worlds, lambda _mesh: SidecarGenerator(terms, credentials)
        )
        zone_proxies = ZoneProxies(plane, settings, worlds, credentials)
        self.offer_to_zones = zone_proxies.offer

        def certified(proxy: ResourceKey) -> None:
            if proxy.type == DATAPLANE:
                publishing.touch(proxy.mesh, proxy.name)
            else:
                zone_proxies.publishing.touch(NO_MESH, proxy.name)

        def trusted(mesh: str) -> None:
            for each in publishing.meshes():
                world = worlds.world(each)
                if each == mesh or (world is not None and mesh in world.crossing.trusted):
                    publishing.touch(each)
            zone_proxies.publishing.touch(NO_MESH)

        certificates.changed = certified
        certificates.mesh_changed = trusted
        self._publishings = (publishing, zone_proxies.publishing)
        streams = streams_of(
            plane,
            settings,
            verifier=verifier,
            publishing=EveryProxy(publishing, zone_proxies.publishing),
            attendance=zone_proxies.attendance,
            read_text=read_resource_text,
            certificate_of=credentials.certificate,
        )
        sotw, delta = SotwCodec(plane.instance), DeltaCodec(plane.instance)
        self.methods: Mapping[str, Method] = {
            **ads_methods(
                lambda: streams, sotw=lambda: sotw, delta=lambda: delta, stopping=stopping
            ),
            **_health_methods(store, settings, verifier),
        }
        self.background: Sequence[Callable[[], Awaitable[object]]] = (
            worlds.run,
            publishing.run,
            *zone_proxies.background,
            FullPass(
                worlds,
                publishing,
                settings.xds_server.full_pass_interval.total_seconds(),
                also_held=zone_proxies.worlds.meshes,
            ).run,
            credentials.run,
        )
        plane.show(lambda: (*publishing_metrics(*self._publishings), *certificates.metrics()))

    def _connected(self) -> list[ConnectedProxy]:
        return [
            watch.proxy
            for publishing in self._publishings
            for mesh in publishing.meshes()
            for watch in publishing.watches(mesh)
        ]


def _health_methods(
    store: ResourceStore, settings: Settings, verifier: ProxyVerifier
) -> Mapping[str, Method]:
    hds = settings.dp_server.hds
    if not hds.enabled:
        return {}
    defaults = hds.check_defaults
    terms = HealthTerms(
        report_interval=hds.interval,
        timeout=defaults.timeout,
        interval=defaults.interval,
        no_traffic_interval=defaults.no_traffic_interval,
        healthy_threshold=defaults.healthy_threshold,
        unhealthy_threshold=defaults.unhealthy_threshold,
        admin_port=settings.bootstrap_server.params.admin_port,
    )
    streams = HealthStreams(
        store,
        verifier,
        terms,
        refresh_interval=hds.refresh_interval,
        wall_clock=clocks.wall_clock,
    )
    return hds_methods(lambda: streams)
