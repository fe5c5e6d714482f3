"""Wires the use cases of one control plane over an open store."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.metrics import exposition
from kong_mesh_cp.compose.preparing import Prepared
from kong_mesh_cp.compose.state import OpenState
from kong_mesh_cp.core.admission.attestation import IdentityRules
from kong_mesh_cp.core.admission.decision import NO_PROXIES_JOIN_GLOBAL
from kong_mesh_cp.core.admission.ledger import SeatLedger
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.admission.seats import SeatRecord
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily
from kong_mesh_cp.core.identity.refusal_bounds import ADMISSIONS, API
from kong_mesh_cp.core.license.sources import SourceReading
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.admission_socket.limits import SocketPlaces
from kong_mesh_cp.shell.admission_socket.routes import AdmissionSocket, LicenseCalls
from kong_mesh_cp.shell.diagnostics.handler import build_diagnostics
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.machine_id import machine_id
from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.shell.rest_api.handler import Index, RestApi
from kong_mesh_cp.usecases.admission.admissions import Admissions
from kong_mesh_cp.usecases.admission.mesh_directory import StoredMeshes
from kong_mesh_cp.usecases.admission.presence import Presence
from kong_mesh_cp.usecases.admission.proxy_directory import ProxyDirectory
from kong_mesh_cp.usecases.admission.seat_recording import SeatRecorder
from kong_mesh_cp.usecases.admission.seating import Seating
from kong_mesh_cp.usecases.admission.shared_seats import SharedSeats
from kong_mesh_cp.usecases.data_plane.authentication import ProxyAuthentication
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.identity.auditing import Refusals
from kong_mesh_cp.usecases.license.holder import LicenseHolder
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome
from kong_mesh_cp.usecases.ports.state_store import (
    LicenseSources,
    Remembered,
    StateStore,
    StoreFailure,
    no_failure,
)
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds

if TYPE_CHECKING:
    from kong_mesh_cp.usecases.inspection.envoy_admin import ZoneEnvoys

DEFAULT_MESH = "default"
INSTANCE_BYTES = 2  # of randomness that tell one start on this host from another

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class ControlPlane:
    """What serves: use cases with their state, and the handlers in front of them."""

    sources: LicenseSources
    licensing: LicenseHolder
    admitting: Admissions
    seating: Seating
    recorder: SeatRecorder
    presence: Presence
    plane: str  # this control plane, among all on the store
    instance: str  # this run of it
    store: StateStore
    replica: Replica
    meshes: StoredMeshes
    admission: AdmissionSocket
    refusals: Refusals  # at the API
    admission_refusals: Refusals
    api: RestApi
    diagnostics: Handler
    reserved: tuple[SeatRecord, ...]  # seats of before that are kept for their proxies
    authority_ends: AuthorityEnds
    shared: SharedSeats | None = None
    # Of proxies on streams, which are loaded with the first of them.
    stream_refusals: Refusals | None = None
    bootstrap_refusals: Refusals | None = None
    proxies: ProxyAuthentication | None = None  # from when the API serves
    zone_envoys: ZoneEnvoys | None = None  # where it is global
    more_metrics: Callable[[], Sequence[MetricFamily]] = tuple
    # Every listener serves, what a start makes is there, and the stop was not asked for.
    serving: bool = False
    starting: bool = True  # it has not served yet
    store_failure: StoreFailure = no_failure
    socket_failure: Callable[[], ControlPlaneError | None] = no_failure
    judge_keys: Callable[[], ControlPlaneError | None] = no_failure  # reads files
    _certificate_failure: Callable[[], ControlPlaneError | None] = no_failure
    _key_failure: ControlPlaneError | None = None
    _reading: trio.Lock = field(default_factory=trio.Lock)

    def show(self, metrics: Callable[[], Sequence[MetricFamily]]) -> None:
        """More for /metrics."""
        before = self.more_metrics
        self.more_metrics = lambda: (*before(), *metrics())

    def heed(self, tls_refusal: Callable[[], ControlPlaneError | None]) -> None:
        """A server's certificate, or its files, may be what would keep a start from serving."""
        before = self._certificate_failure
        self._certificate_failure = lambda: before() or tls_refusal()

    async def reload(self, cause: str) -> ReloadOutcome:
        """Read the sources in a thread, then check and swap in one step.

        One at a time: what was read last is what is checked last.
        """
        async with self._reading:
            readings = await self._read_sources()
            # What holders of seats hear must count the seats of this moment, not of the last tick.
            self.licensing.tick(self.seating.active)
            return self.licensing.reload(cause, readings)

    async def check_restart(self) -> None:
        """Bring the verdict about a restart up to date."""
        async with self._reading:
            self.licensing.restart_safe(await self._read_sources())
        self._key_failure = await trio.to_thread.run_sync(self.judge_keys, abandon_on_cancel=True)

    def in_the_way(self) -> ControlPlaneError | None:
        """What would keep a start from serving, apart from the license."""
        return self.store_failure() or self._certificate_failure() or self._key_failure

    async def _read_sources(self) -> Sequence[SourceReading]:
        # A file on a network mount can hang: then this waits, and the event loop does not. The
        # thread that hangs with it is left to itself.
        return await trio.to_thread.run_sync(self.sources.read, abandon_on_cancel=True)

    def tell_untold(self, *, at_once: bool = False) -> None:
        """Of refusals that had no line of their own."""
        self.refusals.tell_untold(at_once=at_once)
        self.admission_refusals.tell_untold(at_once=at_once)
        for refusals in (self.stream_refusals, self.bootstrap_refusals):
            if refusals is not None:
                refusals.tell_untold(at_once=at_once)

    @property
    def ready(self) -> bool:
        return self.serving and self.failure is None

    @property
    def failure(self) -> ControlPlaneError | None:
        """What keeps it from being ready while it serves."""
        return self.store_failure() or self.socket_failure()

    @property
    def why_not_ready(self) -> str:
        """For whoever asks: the code of a line in the log."""
        failure = self.failure
        return "starting or stopping" if failure is None else failure.code

    def status(self) -> str:
        """For systemd. What keeps it from being ready comes first."""
        line = self.licensing.status_line(self.seating.active)
        failure = self.failure
        if failure is not None:
            return f"NOT READY: {failure.code}; {line}"
        if self.starting:
            return f"starting: making the default mesh and keys; {line}"
        return f"NOT KEPT: seats-not-recorded; {line}" if self.recorder.failing else line


async def assemble(prepared: Prepared, state: OpenState) -> ControlPlane:
    """Wire a control plane that knows its past. Raises: StateError, LicenseRejectedError."""
    licensing, store = prepared.licensing, state.store
    past = await store.remembered()
    licensing.trial_recorded(await store.save_trial_start(licensing.trial_started_at))
    recorder = SeatRecorder(store)
    ledger = _ledger(prepared.settings, past)
    shared = None if state.slots is None else SharedSeats(state.slots, ledger, licensing)
    expected = past.seats if shared is None else await _begin(shared, past.seats, recorder)
    replica = Replica(state.resources)
    meshes = StoredMeshes(replica, _expected_meshes(prepared.settings))
    await meshes.read()
    presence = _presence(prepared.settings, replica, meshes)
    seating = _seating(licensing, ledger, recorder, presence, shared)
    prepared.herald.listener = seating.broadcast
    seating.reserve(expected)
    refusals = Refusals(ADMISSIONS, clocks.boot_clock)
    admitting = _admitting(prepared, seating, recorder, presence, meshes, refusals=refusals)
    authority_ends = AuthorityEnds()
    plane: ControlPlane

    def full_license() -> Mapping[str, object]:
        return licensing.full_view(seating.occupancy()).document()

    index = await _index(prepared.settings, store)
    admission = AdmissionSocket(
        admitting,
        seating,
        LicenseCalls(document=full_license, reload=lambda: plane.reload("admission socket")),
        own_uid=os.getuid(),
        refusals=refusals,
        places=admission_places(prepared.settings),
        # The socket serves from the start on: who queued for it finds it ready.
        ready=lambda: plane.starting or plane.ready,
    )
    plane = ControlPlane(
        sources=prepared.sources,
        licensing=licensing,
        admitting=admitting,
        seating=seating,
        recorder=recorder,
        presence=presence,
        plane=state.plane,
        instance=index.instance_id,
        store=store,
        replica=replica,
        meshes=meshes,
        admission=admission,
        refusals=Refusals(API, clocks.boot_clock),
        admission_refusals=refusals,
        api=RestApi(
            index=index,
            public_license=lambda: licensing.public_view(seating.active).document(),
            full_license=full_license,
            reload_license=lambda: plane.reload("POST /license/reload"),
            config=lambda: json_text(prepared.config),
        ),
        reserved=expected,
        authority_ends=authority_ends,
        store_failure=state.failure,
        shared=shared,
        diagnostics=build_diagnostics(
            ready=lambda: plane.ready,
            why_not=lambda: plane.why_not_ready,
            metrics=lambda: _metrics(plane, licensing),
        ),
    )
    licensing.in_the_way = plane.in_the_way
    return plane


def _metrics(plane: ControlPlane, licensing: LicenseHolder) -> str:
    return exposition(
        licensing,
        plane.seating,
        plane.recorder,
        plane.presence,
        plane.authority_ends,
        more=plane.more_metrics(),
    )


def _ledger(settings: Settings, past: Remembered) -> SeatLedger:
    return SeatLedger(past.high_water, quotas=MeshQuotas.read(settings.admission.mesh_quotas))


def admission_places(settings: Settings) -> SocketPlaces:
    limits = settings.admission.limits
    return SocketPlaces(
        connections=limits.connections, connections_per_user=limits.connections_per_user
    )


def _presence(settings: Settings, replica: Replica, meshes: StoredMeshes) -> Presence:
    presence = Presence(
        ProxyDirectory(replica),
        meshes,
        zone=settings.multizone.zone.name,
        idle_seconds=settings.metrics.dataplane.idle_timeout.total_seconds(),
        shown_seconds=settings.xds_server.dataplane_status_flush_interval.total_seconds(),
        stay_seconds=settings.xds_server.dataplane_deregistration_delay.total_seconds(),
    )
    meshes.vanished = presence.mesh_vanished
    return presence


def _seating(
    licensing: LicenseHolder,
    ledger: SeatLedger,
    recorder: SeatRecorder,
    presence: Presence,
    shared: SharedSeats | None,
) -> Seating:
    seating = Seating(
        ledger=ledger,
        license_in_force=licensing,
        recorder=recorder,
        presence=presence,
        wall_clock=clocks.wall_clock,
        shared=shared,
    )
    presence.end_seat = seating.end_seat
    if shared is not None:
        shared.lose = seating.lose
    return seating


def _expected_meshes(settings: Settings) -> tuple[str, ...]:
    """Those that a first start makes."""
    defaults = settings.defaults
    skipped = defaults.skip_mesh_creation or defaults.skip_tenant_resources
    return () if skipped else (DEFAULT_MESH,)


async def _begin(
    shared: SharedSeats, remembered: Sequence[SeatRecord], recorder: SeatRecorder
) -> tuple[SeatRecord, ...]:
    """Which of the seats of before are kept; the others are forgotten."""
    recorder.told = shared.changed
    expected = await shared.begin(remembered)
    for record in remembered:
        if record not in expected:
            recorder.change(record.seat, None)
    return expected


def _admitting(
    prepared: Prepared,
    seating: Seating,
    recorder: SeatRecorder,
    presence: Presence,
    meshes: StoredMeshes,
    *,
    refusals: Refusals,
) -> Admissions:
    return Admissions(
        zone=prepared.settings.multizone.zone.name,
        seating=seating,
        meshes=meshes,
        rules=IdentityRules(prepared.settings.admission.rules, machine_id=machine_id()),
        license_in_force=prepared.licensing,
        recorder=recorder,
        presence=presence,
        refusals=refusals,
        closed=NO_PROXIES_JOIN_GLOBAL if prepared.settings.mode == "global" else None,
    )


async def _index(settings: Settings, store: StateStore) -> Index:
    host = socket.gethostname()
    return Index(
        version=WIRE_VERSION,
        # A zone is of the cluster of its global control plane, which tells it.
        cluster_id="" if settings.is_federated else await store.cluster_id(),
        hostname=host,
        instance_id=f"{host}-{secrets.token_hex(INSTANCE_BYTES)}",
        # Clients look there for the console of the whole, which is the global control plane's.
        gui="" if settings.is_federated else settings.api_server.gui.address,
    )
