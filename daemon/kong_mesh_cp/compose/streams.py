"""Wires the streams of proxies; imported with the first of them."""

from __future__ import annotations

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.core.admission.decision import NO_PROXIES_JOIN_GLOBAL
from kong_mesh_cp.core.identity.refusal_bounds import STREAMS
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.usecases.data_plane.joining import Joining, ReadText
from kong_mesh_cp.usecases.data_plane.stream_metrics import StreamMetrics
from kong_mesh_cp.usecases.data_plane.stream_ports import Configuring, ProxyVerifier
from kong_mesh_cp.usecases.data_plane.streams import CertificateOf, Streams, StreamTerms
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_attendance import ZoneAttendance
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_joining import ZoneJoining
from kong_mesh_cp.usecases.identity.auditing import Refusals


def streams_of(
    plane: ControlPlane,
    settings: Settings,
    *,
    verifier: ProxyVerifier,
    publishing: Configuring,
    attendance: ZoneAttendance,
    read_text: ReadText,
    certificate_of: CertificateOf,
) -> Streams:
    closed = NO_PROXIES_JOIN_GLOBAL if settings.mode == "global" else None
    sidecars = Joining(
        zone=settings.multizone.zone.name,
        seating=plane.seating,
        presence=plane.presence,
        meshes=plane.meshes,
        store=plane.replica.store,
        verifier=verifier,
        read_text=read_text,
        closed=closed,
    )
    joining = ZoneJoining(
        sidecars,
        attendance,
        plane.presence,
        zone=settings.multizone.zone.name,
        store=plane.replica.store,
        verifier=verifier,
        read_text=read_text,
        closed=closed,
    )
    metrics, refusals = StreamMetrics(), Refusals(STREAMS, clocks.boot_clock)
    streams = Streams(
        joining,
        plane.seating,
        publishing,
        wall_clock=clocks.wall_clock,
        may_be_told=refusals.may_be_told,
        terms=StreamTerms(nack_backoff_seconds=settings.xds_server.nack_backoff.total_seconds()),
        metrics=metrics,
        certificate_of=certificate_of,
    )
    plane.seating.refused = streams.refused
    plane.show(lambda: metrics.families(streams.connected))
    plane.stream_refusals = refusals
    return streams
