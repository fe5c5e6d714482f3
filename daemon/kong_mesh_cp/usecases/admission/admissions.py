"""Who gets a seat: the order of the checks, the taking, and what becomes of the seat later."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from kong_mesh_cp.core.admission import constraints
from kong_mesh_cp.core.admission.attestation import AttestedPeer, Identified, IdentityRules
from kong_mesh_cp.core.admission.decision import AdmittedOverLimit, Refused
from kong_mesh_cp.core.admission.doors import Door
from kong_mesh_cp.core.admission.ledger import SeatPolicy
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.core.admission.socket_messages import admitted_line
from kong_mesh_cp.core.admission.stored_proxy import contradiction
from kong_mesh_cp.usecases.admission.arrivals import Arrival
from kong_mesh_cp.usecases.admission.first_lines import LicenseInForce, LicenseTexts
from kong_mesh_cp.usecases.admission.presence import Presence
from kong_mesh_cp.usecases.admission.proxy_directory import Looked
from kong_mesh_cp.usecases.admission.requests import no_such_mesh, read
from kong_mesh_cp.usecases.admission.seat_recording import SeatRecorder
from kong_mesh_cp.usecases.admission.seating import HeldSeat, Seating
from kong_mesh_cp.usecases.identity.auditing import Refusals
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory, PeerAttestor

LOGGED_CHARACTERS_MAX = 300  # of a refusal's reason: a body can hold thousands of faults

_NO_RULES = Identified({})
_NOT_ARRIVED = Arrival()

log = logging.getLogger(__name__)


class _Approved(NamedTuple):
    """Shape, mesh, identity and constraints have been passed."""

    request: AdmissionRequest
    seat: SeatId
    tags: Tags  # of a rule
    peer: AttestedPeer | None  # None: the process was not looked at
    stored: bool  # kind and tags are those of a stored Dataplane
    warnings: Sequence[tuple[str, str]] = ()


class Admissions:
    """Decides admissions of processes. All methods belong to one event loop."""

    def __init__(
        self,
        *,
        zone: str,
        seating: Seating,
        meshes: MeshDirectory,
        rules: IdentityRules,
        license_in_force: LicenseInForce,
        recorder: SeatRecorder,
        presence: Presence,
        refusals: Refusals,
        closed: Refused | None = None,
    ) -> None:
        """`closed`: the refusal of every request, where no proxy may join."""
        self._zone = zone
        self._closed = closed
        self._seating = seating
        self._meshes = meshes
        self._rules = rules
        self._texts = LicenseTexts(license_in_force)
        self._recorder = recorder
        self._presence = presence
        self._refusals = refusals

    async def try_out(self, body: bytes, peer: PeerAttestor) -> bytes | Refused:
        """The line that an admission would get; nothing is taken, recorded or counted."""
        # Without rules the peer's identity is not asked for, and looking would cost more than
        # deciding.
        approved = await self._approve(body, peer, look=bool(self._rules))
        if isinstance(approved, Refused):
            return approved
        kind = approved.request.kind
        decision, policy = self._seating.decide(approved.seat, kind, Door.SOCKET)
        if isinstance(decision, Refused):
            return decision
        refused = await self._seating.shared_refusal(approved.seat, kind, policy)
        if refused is not None:
            return refused
        # One more would be over the limit: the answer warns of it, though the proxy is not there
        # yet.
        over = isinstance(decision, AdmittedOverLimit)
        return self._line(approved, policy, active_more=int(over))

    async def admit(self, body: bytes, peer: PeerAttestor) -> HeldSeat | Refused:
        """Decide and take the seat. Cancelling gives it back.

        Under a license that refuses when full the seat is on disk before this returns: a proxy
        that was admitted is then known after any crash. So is the Dataplane that came with it,
        under any license.
        """
        approved = await self._approve(body, peer, look=True)
        if isinstance(approved, Refused):
            return self._refuse(approved, None, peer)
        # From here to the seat's taking there is no await: no other task decides in between.
        seat, kind = approved.seat, approved.request.kind
        decision, policy = self._seating.decide(seat, kind, Door.SOCKET)
        if isinstance(decision, Refused):
            return self._refuse(decision, seat, peer)
        seen = approved.peer
        assert seen is not None, "a seat is taken for a peer that was looked at"  # noqa: S101
        held = self._seating.take(
            seat, kind, policy, peer=seen, gone=peer.gone, has_resource=approved.stored
        )
        with ExitStack() as undo:
            undo.callback(self._seating.release, held)
            arrival = await self._confirm(held, approved, seen, policy)
            if isinstance(arrival, Refused):
                return self._refuse(arrival, seat, peer)
            held.line = self._line(approved, policy, arrival)
            undo.pop_all()
        who = f"pid {seen.pid} uid {seen.uid} unit {seen.unit_name or 'none'!r}"
        self._seating.note_admitted(held, decision, policy, who)
        return held

    async def _confirm(
        self, held: HeldSeat, approved: _Approved, peer: AttestedPeer, policy: SeatPolicy
    ) -> Arrival | Refused:
        """What has to be waited for before a proxy is admitted, once its seat is taken."""
        refused = await self._seating.confirm(held, policy)
        if refused is not None:
            return refused
        request, record = approved.request, held.holder.record
        return await self._presence.arrive(request, record, approved.tags, peer.uid)

    async def _approve(self, body: bytes, peer: PeerAttestor, *, look: bool) -> _Approved | Refused:
        """Shape → mesh → identity → constraints; the license comes after it. A fixed order."""
        if self._closed is not None:
            return self._closed
        request = await read(body)
        if isinstance(request, Refused):
            return request
        found = () if request.resource is None else await self._presence.findings(request)
        if isinstance(found, Refused):
            return found
        if not await self._meshes.exists(request.mesh):
            return no_such_mesh(request.mesh, self._meshes.names())
        looked, directory = Looked(request), self._presence.directory
        if request.resource is None and directory.may_hold(request.mesh, request.name):
            looked = await directory.look_up(request)
        attested = await peer.attest(names=self._rules.needs_names) if look else None
        allowed = _NO_RULES
        if self._rules and attested is not None:
            identified = self._rules.identify(looked.request, attested)
            if isinstance(identified, Refused):
                return identified
            allowed = identified
        if looked.stored is not None:
            refused = contradiction(request, looked.stored, allowed)
            if refused is not None:
                return refused
            request = looked.request
        # Asked again, because it may have been deleted while the process was looked at.
        if request.mesh not in self._meshes.names():
            return no_such_mesh(request.mesh, self._meshes.names())
        of_mesh = self._meshes.constraints(request.mesh)
        if of_mesh is not None:
            refused = constraints.refusal(of_mesh, request, zone=self._zone, added=allowed.tags)
            if refused is not None:
                return refused
        seat = SeatId(self._zone, request.mesh, request.name)
        stored, warnings = looked.stored is not None, (*found, *looked.warnings)
        return _Approved(request, seat, allowed.tags, attested, stored, warnings)

    def _line(
        self,
        approved: _Approved,
        policy: SeatPolicy,
        arrival: Arrival = _NOT_ARRIVED,
        *,
        active_more: int = 0,
    ) -> bytes:
        return admitted_line(
            approved.seat,
            approved.request.kind,
            license_text=self._texts.text(policy, self._seating.active, active_more=active_more),
            tags=approved.tags,
            token=arrival.token,
            warnings=(*approved.warnings, *arrival.warnings, *self._recorder.warnings),
        )

    def _refuse(self, refused: Refused, seat: SeatId | None, peer: PeerAttestor) -> Refused:
        self._seating.count_refusal(refused.code)
        if self._refusals.may_be_told(f"uid {peer.uid}"):
            seat_path, reason = seat.path if seat else "-", refused.reason[:LOGGED_CHARACTERS_MAX]
            line = "admission-refused: %s %s pid %d uid %d: %s"
            log.info(line, refused.code, seat_path, peer.pid, peer.uid, ascii(reason)[1:-1])
        return refused
