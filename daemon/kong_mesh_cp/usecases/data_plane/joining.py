"""How a proxy joins on its stream: who it is, whether it may, its seat, and its Dataplane.

The order of the checks decides which text a proxy gets that is wrong in several ways.

Source: docs/wire/streams.md#joining
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import trio

from kong_mesh_cp.core.admission import constraints
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.doors import Door, ProxyPeer
from kong_mesh_cp.core.admission.request import AdmissionRequest
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId
from kong_mesh_cp.core.admission.socket_messages import violations_text
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.core.resources.bodies import Draft, read_draft
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata, read_metadata
from kong_mesh_cp.core.xds.proxy_id import ProxyId
from kong_mesh_cp.usecases.admission.attendance import StreamFacts
from kong_mesh_cp.usecases.admission.presence import Presence
from kong_mesh_cp.usecases.admission.proxy_directory import DATAPLANE
from kong_mesh_cp.usecases.admission.requests import busy
from kong_mesh_cp.usecases.admission.seating import Seating
from kong_mesh_cp.usecases.data_plane import authentication
from kong_mesh_cp.usecases.data_plane.authentication import Proven, dataplane_identity
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.places import Place, SeatPlace
from kong_mesh_cp.usecases.data_plane.seat_kinds import seat_kind
from kong_mesh_cp.usecases.data_plane.stream_ports import (
    Ending,
    NodeTold,
    ProxyStream,
    ProxyVerifier,
    StreamEndedError,
)
from kong_mesh_cp.usecases.data_plane.takeovers import Takeovers
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, StoredResource
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.resource_refusals import NOT_VALID, ResourceRefusedError

REGISTER: Final = "could not register proxy passed in kuma-dp run"
AUTHENTICATION: Final = "authentication failed: "  # in front of what is wrong with a token
OVERRIDE: Final = "you are trying to override existing proxy to which you don't have an access."
_NO_TIME: Final = "0001-01-01 00:00:00 +0000 UTC"  # Go's
LARGE_TEXT_CHARACTERS: Final = 4096  # what is longer is read in a thread: others would wait
# Of a Dataplane that a proxy brings. It is read before it is known who the proxy is, so it must not
# cost much: kuma-dp sends JSON, and YAML, which takes a hundred times as long, is for short ones.
TEXT_CHARACTERS_MAX: Final = 256 * 1024
YAML_CHARACTERS_MAX: Final = 16 * 1024
LOGGED_CHARACTERS_MAX: Final = 300  # of a refusal
NOT_AUTHENTICATED_HINT: Final = (
    "Give kuma-dp a token for this mesh, name and tags: kumactl generate dataplane-token"
)

_large_texts = trio.CapacityLimiter(1)

ReadText = Callable[[str], object]
"""What is in a YAML text, as JSON. Raises: ValueError."""

Facts = Callable[[ProxyMetadata], StreamFacts]
"""What is shown of a stream, once it is known what the proxy says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A stream that has said its first words."""

    stream: ProxyStream
    facts: Facts
    place: ExitStack  # closed when the stream ends
    gone: Callable[[], bool]  # and then this says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A proxy that has its seat, and whose Dataplane is stored."""

    proxy: ConnectedProxy
    node_id: str
    seat: SeatId  # of no mesh: that of a zone proxy, which takes none
    place: Place

    @property
    def key(self) -> tuple[authentication.ProxyKind, SeatId]:
        """No other proxy has it."""
        return self.proxy.kind, self.seat


class _Asked(NamedTuple):
    """A proxy whose token has been found to be its own."""

    id: ProxyId
    metadata: ProxyMetadata
    spec: Dataplane
    draft: Draft | None  # of what it brings; None: its Dataplane is stored
    document: Mapping[str, Any]
    proven: Proven  # what else the token proves

    @property
    def kind(self) -> ProxyKind:
        return seat_kind(self.spec)


class Joining:
    """Lets proxies in. All methods belong to one event loop."""

    def __init__(
        self,
        *,
        zone: str,
        seating: Seating,
        presence: Presence,
        meshes: MeshDirectory,
        store: ResourceStore,
        verifier: ProxyVerifier,
        read_text: ReadText,
        closed: Refused | None = None,
    ) -> None:
        """`closed`: the refusal of every proxy, where none may join."""
        self._zone = zone
        self._seating = seating
        self._presence = presence
        self._meshes = meshes
        self._store = store
        self._verifier = verifier
        self._read_text = read_text
        self._closed = closed
        self._takeovers = Takeovers()

    async def join(self, node: NodeTold | None, arrival: Arrival) -> Joined:
        """Take the seat, and register what the proxy brings.

        The caller gives the seat back; where this is cancelled, or raises, that is done. Raises:
        StreamEndedError.
        """
        if self._closed is not None:
            raise refused_by(self._closed)
        try:
            asked = await self._asked(node or NodeTold("", {}), arrival.stream.credentials)
        except ProxyRefusedError as error:
            raise ended_for(
                error.message, "not-authenticated", hint=NOT_AUTHENTICATED_HINT
            ) from None
        except StateError as error:
            raise not_now(error) from None
        seat = SeatId(self._zone, *asked.id)
        refused = await self._presence.possible(seat) or await self._membership_refusal(asked)
        if refused is not None:
            raise refused_by(refused, prefix=asked.draft is not None)
        return await self._take(asked, seat, arrival)

    async def _asked(self, node: NodeTold, credentials: Sequence[str] | None) -> _Asked:
        """Raises: ProxyRefusedError, StreamEndedError, StateError."""
        metadata = read_metadata(node.metadata)
        document, draft, unreadable = await self._brought(metadata)
        if draft is not None:
            name, mesh, spec = draft.meta.name, draft.meta.mesh, draft.spec
            proven = await self._verifier.verify(
                credentials, dataplane_identity(mesh, name, spec.tag_sets)
            )
            try:
                proxy = ProxyId.parse(node.id)
            except ValueError as error:
                raise ended_for(f"invalid node ID: {error}", "node-id-invalid") from None
            if (mesh, name) != proxy:
                text = f"proxyId {{{proxy.mesh} {proxy.name}}} does not match proxy resource "
                raise ended_for(text + _meta_text(draft), "node-id-invalid")
            return _Asked(proxy, metadata, spec, draft, document, proven)
        try:
            proxy = ProxyId.parse(node.id)
        except ValueError as error:
            text = f"request must have a valid Proxy ID: {error}"
            raise ended_for(text, "node-id-invalid") from None
        spec = await self._stored(proxy, metadata.proxy_type, unreadable)
        proven = await self._verifier.verify(
            credentials, dataplane_identity(proxy.mesh, proxy.name, spec.tag_sets)
        )
        return _Asked(proxy, metadata, spec, None, {}, proven)

    async def _brought(
        self, metadata: ProxyMetadata
    ) -> tuple[Mapping[str, Any], Draft | None, str]:
        """The Dataplane in the metadata. As in Kuma, one that cannot be read is none; why it cannot
        comes last.
        """
        text = metadata.resource
        if not text:
            return {}, None, ""

        def read() -> tuple[Mapping[str, Any], Draft]:
            return _draft_of(document_of(text, self._read_text))

        try:
            if len(text) <= LARGE_TEXT_CHARACTERS:
                document, draft = read()
            else:
                document, draft = await trio.to_thread.run_sync(read, limiter=_large_texts)
        except (ValueError, ParseError, InvalidResourceError) as error:
            return {}, None, str(error)
        return document, draft, ""

    async def _stored(self, proxy: ProxyId, proxy_type: str, unreadable: str) -> Dataplane:
        if proxy_type != "dataplane":
            raise ended_for(f"unsupported proxy type {go_quote(proxy_type)}", "proxy-type-unknown")
        found = await self._store.get(ResourceKey(DATAPLANE, proxy.mesh, proxy.name))
        if found is None:
            raise ended_for(
                f"resource {go_quote(str(proxy))} not found; create a Dataplane in Kuma CP first or"
                " pass it as an argument to kuma-dp",
                "dataplane-not-found",
                hint=unreadable and f"The one that it brings cannot be read: {unreadable}",
            )
        return spec_as(Dataplane, found)

    async def _membership_refusal(self, asked: _Asked) -> Refused | None:
        """Members of before a change of the constraints stay: they are not asked again."""
        mesh = asked.id.mesh
        if not await self._meshes.exists(mesh):
            return Refused(
                code=RefusalCode.MESH_NOT_FOUND,
                reason=f"mesh of name {mesh} is not found",
                hint="Make the mesh: kumactl apply.",
            )
        of_mesh = self._meshes.constraints(mesh)
        if of_mesh is None or asked.draft is None:
            return None
        request = AdmissionRequest(mesh, asked.id.name, asked.kind, asked.spec.tag_sets)
        return constraints.refusal(of_mesh, request, zone=self._zone, added={})

    async def _take(self, asked: _Asked, seat: SeatId, arrival: Arrival) -> Joined:
        stream, facts = arrival.stream, arrival.facts(asked.metadata)
        # From here to the seat's taking there is no await: no other task decides in between.
        decision, policy = self._seating.decide(seat, asked.kind, Door.STREAM)
        if isinstance(decision, Refused):
            raise refused_by(decision)
        arrival.place.enter_context(self._takeovers.place(seat, stream.connection))
        held = self._seating.take(
            seat,
            asked.kind,
            policy,
            peer=ProxyPeer(stream.address),
            gone=arrival.gone,
            has_resource=asked.draft is None,
            stream=facts,
        )
        place = SeatPlace(self._seating, held)
        with ExitStack() as undo:
            undo.callback(place.release)
            refused = await self._seating.confirm(held, policy)
            if refused is not None:
                raise refused_by(refused)
            place.raise_if_ended()
            if asked.draft is not None:
                await self._register(asked, seat)
            undo.pop_all()
        self._seating.note_admitted(held, decision, policy, f"address {stream.address}")
        mesh, name = asked.id
        proxy = ConnectedProxy(mesh=mesh, name=name, metadata=asked.metadata)
        return Joined(proxy=proxy, node_id=str(asked.id), seat=seat, place=place)

    async def _register(self, asked: _Asked, seat: SeatId) -> None:
        async def may_replace(stored: StoredResource) -> None:
            """With the token that it has, a proxy may be put in the place of its own alone."""
            there = dataplane_identity(seat.mesh, seat.name, spec_as(Dataplane, stored).tag_sets)
            try:
                asked.proven(there)
            except ProxyRefusedError as error:
                text = f"{REGISTER}: {OVERRIDE}: {error.message.removeprefix(AUTHENTICATION)}"
                raise ended_for(text, "dataplane-not-replaceable") from None

        try:
            await self._presence.register(seat, asked.document, may_replace)
        except ResourceRefusedError as error:
            raise not_registered(error) from None
        except StateError as error:
            raise not_now(error) from None


def document_of(text: str, read_yaml: ReadText) -> object:
    """The resource that a proxy brings. Raises: ValueError."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"it has more than {TEXT_CHARACTERS_MAX} characters")
    if text.lstrip().startswith("{"):
        try:
            return strict_json.parse(text.encode())
        except strict_json.StrictJsonError as error:
            if len(text) > YAML_CHARACTERS_MAX:
                raise ValueError(error.message) from None
    if len(text) > YAML_CHARACTERS_MAX:
        raise ValueError(f"it is no JSON, and has more than {YAML_CHARACTERS_MAX} characters")
    return read_yaml(text)


def _draft_of(document: object) -> tuple[Mapping[str, Any], Draft]:
    """Raises: ValueError, ParseError, InvalidResourceError."""
    if not isinstance(document, dict) or document.get("type") != DATAPLANE:
        raise ValueError("it is no Dataplane")
    return document, read_draft(KINDS[DATAPLANE], TYPES[DATAPLANE], document)


def _meta_text(draft: Draft) -> str:
    """As Go prints the meta of a resource that was never stored."""
    labels = " ".join(f"{name}:{value}" for name, value in sorted(draft.meta.labels.items()))
    times = f"{_NO_TIME} {_NO_TIME}"
    return f"{{{DATAPLANE} {draft.meta.mesh} {draft.meta.name} {times} map[{labels}]}}"


def ended_for(message: str, code: str, *, hint: str = "") -> StreamEndedError:
    return StreamEndedError(Ending.REFUSED, message, code=code, hint=hint)


def refused_by(refused: Refused, *, prefix: bool = False) -> StreamEndedError:
    """In the words of the original, where it has the same refusal."""
    match refused.code:
        case RefusalCode.LICENSE_LIMIT | RefusalCode.MESH_QUOTA:
            ending, text = Ending.FULL, refused.text
        case RefusalCode.BUSY:
            ending, text = Ending.NOT_NOW, refused.text
        case RefusalCode.MESH_CONSTRAINT | RefusalCode.MESH_NOT_FOUND:
            ending = Ending.REFUSED
            text = f"{REGISTER}: {refused.reason}" if prefix else refused.reason
        case _:
            ending, text = Ending.REFUSED, refused.text
    return StreamEndedError(ending, text, code=refused.code, hint=refused.hint)


def not_registered(error: ResourceRefusedError) -> StreamEndedError:
    """What a proxy brings is refused as the resource that it is."""
    valid = error.detail != NOT_VALID
    reason = error.detail if valid else violations_text(error.violations)
    return ended_for(f"{REGISTER}: {reason}", error.code)


def not_now(error: StateError) -> StreamEndedError:
    refused = busy(f"the store does not answer: {error.message}", error.hint)
    return StreamEndedError(Ending.NOT_NOW, refused.text, code=refused.code, hint=refused.hint)
