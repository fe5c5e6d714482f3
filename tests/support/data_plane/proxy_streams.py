"""Proxies on streams at the desk of `support.fakes.admission`: no sockets, and nothing generated."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.sotw import SotwStream
from kong_mesh_cp.core.discovery.type_order import CLUSTERS
from kong_mesh_cp.core.formats.durations import HOUR
from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.key_series import ZONE_KEYS, dataplane_keys
from kong_mesh_cp.core.identity.tokens import DataplaneClaims, ZoneClaims
from kong_mesh_cp.usecases.data_plane.authentication import ProxyAuthentication
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.joining import Joining, ReadText
from kong_mesh_cp.usecases.data_plane.stream_metrics import StreamMetrics
from kong_mesh_cp.usecases.data_plane.stream_ports import (
    NodeTold,
    ProxyVerifier,
    Received,
    StreamEndedError,
)
from kong_mesh_cp.usecases.data_plane.streams import Cause, CertificateOf, Streams, StreamTerms
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_attendance import (
    ZoneAttendance,
    ZoneAttendanceTerms,
)
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_joining import ZoneJoining
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from support.fakes.admission import NOON, Desk, open_desk
from support.fakes.attending import sidecar

NACK_BACKOFF_SECONDS = 5.0
STAY_SECONDS = 10.0  # of what was registered over a stream that has ended
ZONE_TERMS = ZoneAttendanceTerms(
    instance="this-run",
    subscriptions_max=2,
    shown_seconds=10.0,
    idle_seconds=300.0,
    stay_seconds=STAY_SECONDS,
)


def numbered_ids() -> Callable[[], str]:
    """Ids of subscriptions that a test can foresee."""
    numbers = count(1)
    return lambda: f"zone-subscription-{next(numbers)}"


def by_token(desk: Desk) -> ProxyVerifier:
    """By the keys of the desk."""
    authenticator = Authenticator(desk.keys, lambda: NOON, AuthenticationSettings())
    return ProxyAuthentication(authenticator, dataplanes=True, zone_proxies=True)


async def token(
    desk: Desk,
    name: str = "",
    mesh: str = "default",
    tags: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> str:
    """A token of the mesh's own key; what is not given it does not bind."""
    kid, key = await desk.keys.newest(dataplane_keys(mesh))
    claims = DataplaneClaims(name=name, mesh=mesh, tags=tags, type="dataplane")
    return tokens.sign(
        claims, key=key, kid=kid, token_id="id-1", now=NOON, valid_nanoseconds=24 * HOUR
    )


def clusters(*texts: str) -> Snapshot:
    """A configuration of nothing but clusters."""
    return Snapshot.of({CLUSTERS: [Resource.of(text, text.encode()) for text in texts]})


class FakeWatch:
    """A `Watching` of what `FakePublishing` says."""

    def __init__(self, publishing: FakePublishing) -> None:
        self._publishing = publishing
        self._told = 0

    @property
    def snapshot(self) -> Snapshot:
        return self._publishing.snapshot

    async def changed(self) -> None:
        while self._told == self._publishing.changes:
            await self._publishing.news.wait()
        await trio.lowlevel.checkpoint()
        self._told = self._publishing.changes


class FakePublishing:
    """A `Configuring` of one configuration for all proxies."""

    def __init__(self) -> None:
        self.snapshot = clusters("a")
        self.changes = 1
        self.news = trio.Event()
        self.watched: list[str] = []

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.changes += 1
        self.news.set()
        self.news = trio.Event()

    @asynccontextmanager
    async def watching(self, proxy: ConnectedProxy) -> AsyncIterator[FakeWatch]:
        name = f"{proxy.mesh}.{proxy.name}"
        self.watched.append(name)
        try:
            yield FakeWatch(self)
        finally:
            self.watched.remove(name)


@dataclass
class Proxy:
    """The other end: `ProxyStream` in memory, and what an Envoy would do with it.

    `end` is what the stream ended with, once it has: None, or the error of the control plane.
    """

    credentials: Sequence[str] | None
    node: NodeTold | None = None
    address: str = "10.0.0.7"
    connection: object = field(default_factory=object)
    stopping: bool = False
    acknowledges: bool = True
    refuses: Callable[[Response], str] = lambda _: ""
    got: list[Response] = field(default_factory=list)
    end: StreamEndedError | None = None
    heard: trio.Event = field(default_factory=trio.Event)  # there was a first response
    over: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def __post_init__(self) -> None:
        self._to_plane, self._at_plane = trio.open_memory_channel[Received](100)

    def table(self) -> OrderedStream:
        return SotwStream()

    async def receive(self) -> Received | None:
        try:
            return await self._at_plane.receive()
        except trio.EndOfChannel:
            return None

    async def send(self, response: Response) -> None:
        await trio.lowlevel.checkpoint()
        self.got.append(response)
        self.heard.set()
        text = self.refuses(response)
        if self.acknowledges:
            self.say(
                Request(
                    type_url=response.type_url,
                    nonce=response.nonce,
                    version="" if text else response.version,
                    error=text,
                    refused=bool(text),
                )
            )

    def say(self, request: Request, node: NodeTold | None = None) -> None:
        self._to_plane.send_nowait(Received(node, request))

    def half_close(self) -> None:
        """As Envoy when it ends in peace."""
        self._to_plane.close()

    def vanish(self) -> None:
        """As the transport when the connection is reset."""
        self.scope.cancel()


@dataclass
class Plane:
    """A control plane that proxies can join."""

    desk: Desk
    streams: Streams
    publishing: FakePublishing
    metrics: StreamMetrics
    nursery: trio.Nursery
    told: list[str]  # sources of refusals that were to be logged

    async def dial(self, proxy: Proxy) -> Proxy:
        """Open a stream; return when what that brings about has come about."""
        proxy.say(Request(type_url=CLUSTERS), proxy.node)

        async def serve() -> None:
            try:
                with proxy.scope:
                    await self.streams.serve(proxy)
            except StreamEndedError as error:
                proxy.end = error
            finally:
                proxy.over.set()

        self.nursery.start_soon(serve)
        await wait_all_tasks_blocked()
        return proxy

    async def hang_up(self, proxy: Proxy) -> None:
        proxy.vanish()
        await proxy.over.wait()


def node(
    name: str = "backend-1",
    mesh: str = "default",
    *,
    brings: Mapping[str, Any] | str | None = None,
    **metadata: object,
) -> NodeTold:
    """Envoy's node; `brings` is the Dataplane in its metadata."""
    if brings is not None:
        text = brings if isinstance(brings, str) else json.dumps(brings)
        metadata = {"dataplane.resource": text, **metadata}
    return NodeTold(f"{mesh}.{name}", metadata)


async def zone_token(desk: Desk, *scope: str, zone: str = "default") -> str:
    """A token for zone proxies, of the zone's own key."""
    await desk.keys.ensure(ZONE_KEYS)
    kid, key = await desk.keys.newest(ZONE_KEYS)
    claims = ZoneClaims(zone=zone, scope=scope)
    return tokens.sign(
        claims, key=key, kid=kid, token_id="id-1", now=NOON, valid_nanoseconds=24 * HOUR
    )


async def newcomer(
    plane: Plane,
    name: str = "backend-1",
    mesh: str = "default",
    *,
    brings: Mapping[str, Any] | str | None = None,
    stored: bool = False,
    **metadata: object,
) -> Proxy:
    """A proxy with a token for its name, that brings a sidecar's Dataplane if nothing is said."""
    brought = None if stored else brings or sidecar(name, mesh=mesh)
    return Proxy(
        [await token(plane.desk, name, mesh)], node(name, mesh, brings=brought, **metadata)
    )


async def joined(plane: Plane, name: str = "backend-1", mesh: str = "default", **kw: Any) -> Proxy:
    proxy = await plane.dial(await newcomer(plane, name, mesh, **kw))
    assert proxy.end is None, proxy.end
    return proxy


async def turned_away(plane: Plane, proxy: Proxy) -> StreamEndedError:
    await plane.dial(proxy)
    await proxy.over.wait()
    assert proxy.end is not None
    return proxy.end


@asynccontextmanager
async def open_plane(
    *,
    verifier: Callable[[Desk], ProxyVerifier] = by_token,
    cause: Cause = lambda _seat, _refusal: "",
    certificate_of: CertificateOf | None = None,
    read_text: ReadText = json.loads,
    **desk_terms: Any,
) -> AsyncIterator[Plane]:
    """See `open_desk` for `desk_terms`."""
    async with open_desk(**desk_terms) as desk, trio.open_nursery() as nursery:
        joining = Joining(
            zone="default",
            seating=desk.seating,
            presence=desk.presence,
            meshes=desk.meshes,
            store=desk.resources,
            verifier=verifier(desk),
            read_text=read_text,
        )
        publishing, metrics, told = FakePublishing(), StreamMetrics(), list[str]()

        def may_be_told(source: str) -> bool:
            told.append(source)
            return True

        attendance = ZoneAttendance(
            desk.api.replica, ZONE_TERMS, new_id=numbered_ids(), wall_clock=lambda: desk.now[0]
        )
        nursery.start_soon(attendance.run)
        zone_joining = ZoneJoining(
            joining,
            attendance,
            desk.presence,
            zone="default",
            store=desk.resources,
            verifier=verifier(desk),
            read_text=read_text,
        )
        streams = Streams(
            zone_joining,
            desk.seating,
            publishing,
            wall_clock=lambda: desk.now[0],
            may_be_told=may_be_told,
            terms=StreamTerms(nack_backoff_seconds=NACK_BACKOFF_SECONDS),
            metrics=metrics,
            cause=cause,
            certificate_of=certificate_of,
        )
        yield Plane(desk, streams, publishing, metrics, nursery, told)
        nursery.cancel_scope.cancel()
