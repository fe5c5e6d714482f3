"""How a zone proxy joins on its stream: by a token of its zone, as an egress or an ingress.

Source: docs/wire/streams.md#zone-proxies
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import trio

from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.core.resources.bodies import read_draft
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata, read_metadata
from kong_mesh_cp.core.xds.proxy_id import ProxyId
from kong_mesh_cp.usecases.admission.presence import Presence
from kong_mesh_cp.usecases.data_plane.authentication import ProxyIdentity, ProxyKind
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.joining import (
    LARGE_TEXT_CHARACTERS,
    Arrival,
    Joined,
    Joining,
    ReadText,
    document_of,
    ended_for,
    not_now,
    not_registered,
    refused_by,
)
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold, ProxyVerifier
from kong_mesh_cp.usecases.data_plane.takeovers import Takeovers
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_attendance import ZoneAttendance
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_types import ZONE_TYPES, ZoneProxyType
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError

NOT_AUTHENTICATED_HINT: Final = (
    "Give kuma-dp a token for this zone and kind of proxy: kumactl generate zone-token"
)

_large_texts = trio.CapacityLimiter(1)


class _Asked(NamedTuple):
    """A zone proxy whose token has been found to be its own."""

    name: str
    metadata: ProxyMetadata
    document: Mapping[str, Any] | None  # the resource that it brings; None: it is stored


class ZoneJoining:
    """Lets zone proxies in, and leaves all others to `Joining`."""

    def __init__(
        self,
        others: Joining,
        attendance: ZoneAttendance,
        presence: Presence,
        *,
        zone: str,
        store: ResourceStore,
        verifier: ProxyVerifier,
        read_text: ReadText,
        closed: Refused | None = None,
    ) -> None:
        """`closed`: the refusal of every proxy, where none may join."""
        self._others = others
        self._attendance = attendance
        self._presence = presence
        self._zone = zone
        self._store = store
        self._verifier = verifier
        self._read_text = read_text
        self._closed = closed
        self._takeovers = {kind: Takeovers() for kind in ZONE_TYPES}

    async def join(self, node: NodeTold | None, arrival: Arrival) -> Joined:
        """See `Entrance`. Raises: StreamEndedError."""
        told = node or NodeTold("", {})
        metadata = read_metadata(told.metadata)
        kind = next((each for each in ZONE_TYPES if each.value == metadata.proxy_type), None)
        if kind is None:
            return await self._others.join(node, arrival)
        if self._closed is not None:
            raise refused_by(self._closed)
        try:
            asked = await self._asked(kind, told, metadata, arrival)
            return await self._take(kind, asked, arrival)
        except ProxyRefusedError as error:
            raise ended_for(
                error.message, "not-authenticated", hint=NOT_AUTHENTICATED_HINT
            ) from None
        except StateError as error:
            raise not_now(error) from None

    async def _asked(
        self, kind: ProxyKind, node: NodeTold, metadata: ProxyMetadata, arrival: Arrival
    ) -> _Asked:
        """Raises: ProxyRefusedError, StreamEndedError, StateError."""
        of_type = ZONE_TYPES[kind]
        document, unreadable = await self._brought(of_type, metadata)
        try:
            proxy = ProxyId.parse(node.id)
        except ValueError as error:
            prefix = "request must have a valid Proxy ID" if document is None else "invalid node ID"
            raise ended_for(f"{prefix}: {error}", "node-id-invalid") from None
        name = proxy.name
        if document is None:
            found = None if proxy.mesh else await self._store.get(of_type.key(name))
            if found is None:
                raise ended_for(
                    f"resource {go_quote(str(proxy))} not found; create a {of_type.resource} in"
                    " Kuma CP first or pass it as an argument to kuma-dp",
                    "zone-proxy-not-found",
                    hint=unreadable and f"The one that it brings cannot be read: {unreadable}",
                )
        elif proxy != ("", own := document.get("name") or ""):
            text = f"proxyId {proxy} does not match the {of_type.resource} {own}"
            raise ended_for(text, "node-id-invalid")
        identity = ProxyIdentity(mesh="", name=name, kind=kind, zone=self._zone)
        await self._verifier.verify(arrival.stream.credentials, identity)
        return _Asked(name, metadata, document)

    async def _brought(
        self, of_type: ZoneProxyType, metadata: ProxyMetadata
    ) -> tuple[Mapping[str, Any] | None, str]:
        """The resource in the metadata. One that cannot be read is none; why it cannot comes
        last.
        """
        text = metadata.resource
        if not text:
            return None, ""

        def read() -> Mapping[str, Any]:
            document = document_of(text, self._read_text)
            if not isinstance(document, dict) or document.get("type") != of_type.resource:
                raise ValueError(f"it is no {of_type.resource}")
            read_draft(KINDS[of_type.resource], TYPES[of_type.resource], document)
            return document

        try:
            if len(text) <= LARGE_TEXT_CHARACTERS:
                return read(), ""
            return await trio.to_thread.run_sync(read, limiter=_large_texts), ""
        except (ValueError, ParseError, InvalidResourceError) as error:
            return None, str(error)

    async def _take(self, kind: ProxyKind, asked: _Asked, arrival: Arrival) -> Joined:
        seat = SeatId(self._zone, "", asked.name)
        facts = arrival.facts(asked.metadata)
        takeovers = self._takeovers[kind]
        arrival.place.enter_context(takeovers.place(seat, arrival.stream.connection))
        if asked.document is not None:
            with self._attendance.expecting(kind, asked.name):
                await self._register(kind, asked)
        place = self._attendance.take(
            kind, asked.name, facts, is_registered=asked.document is not None
        )
        proxy = ConnectedProxy(mesh="", name=asked.name, metadata=asked.metadata, kind=kind)
        return Joined(proxy=proxy, node_id=str(ProxyId("", asked.name)), seat=seat, place=place)

    async def _register(self, kind: ProxyKind, asked: _Asked) -> None:
        assert asked.document is not None  # noqa: S101 — the caller has looked
        key = ZONE_TYPES[kind].key(asked.name)
        try:
            await self._presence.register_zone_proxy(key, asked.document)
        except ResourceRefusedError as error:
            raise not_registered(error) from None
