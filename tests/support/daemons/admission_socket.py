"""The admission socket served for real, with clients for it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.shell.admission_socket.limits import SocketPlaces
from kong_mesh_cp.shell.admission_socket.listener import bound
from kong_mesh_cp.shell.admission_socket.routes import (
    AdmissionSocket,
    LicenseCalls,
    socket_peer,
)
from kong_mesh_cp.shell.http.messages import Response
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.acceptor import Gate
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.peer import Credentials, Peer
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome, ReloadResult
from kong_mesh_cp.usecases.ports.state_store import PeerAttestor
from support.daemons.http_peers import Answer, Client, post
from support.fakes.admission import NOON, Desk, open_desk
from support.fakes.fake_store import FakeStateStore
from support.suites.patience import HANG_SECONDS

ADMISSIONS = "/v1/admissions"


class AsUser:
    """The socket for peers who all seem to have one uid. The kernel's word is covered elsewhere."""

    def __init__(self, real: AdmissionSocket, uid: int) -> None:
        self._real = real
        self._uid = uid

    def seen(self, peer: Peer) -> Peer:
        return Peer(peer.socket, credentials=Credentials(4242, self._uid, self._uid))

    def enter(self, peer: Peer) -> Response | None:
        return self._real.enter(self.seen(peer))

    def leave(self, peer: Peer) -> None:
        self._real.leave(self.seen(peer))


@dataclass
class OpenSocket:
    desk: Desk
    path: Path
    drain: Drain
    conversations: trio.Nursery
    reloads: list[str]
    admission: AdmissionSocket

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with await trio.open_unix_socket(str(self.path)) as stream:
            yield Client(stream)

    async def ask(self, data: bytes) -> Answer:
        """One request on a connection of its own, with a complete answer."""
        async with self.client() as client:
            return await client.ask(data)

    async def until_active(self, count: int) -> None:
        with trio.fail_after(HANG_SECONDS):
            while self.desk.seating.active != count:
                await trio.sleep(0.001)


PLACES = SocketPlaces()


@asynccontextmanager
async def open_socket(
    folder: Path,
    *,
    limit: int = 5,
    refuses: bool = True,
    rules: Sequence[Rule] = (),
    store: FakeStateStore | None = None,
    uid: int | None = None,
    own_uid: int = 0,
    attesting: Callable[[Peer, Credentials], PeerAttestor] = socket_peer,
    places: SocketPlaces = PLACES,
) -> AsyncIterator[OpenSocket]:
    """Serve in `folder`. With `uid` every peer seems to be that user."""
    reloads: list[str] = []

    async def reload() -> ReloadOutcome:
        reloads.append("asked")
        return ReloadOutcome(result=ReloadResult.UNCHANGED)

    async with open_desk(limit=limit, refuses=refuses, rules=rules, store=store) as desk:
        calls = LicenseCalls(document=lambda: {"id": "abc"}, reload=reload)
        admission = AdmissionSocket(
            desk.admitting,
            desk.seating,
            calls,
            own_uid=own_uid,
            refusals=desk.refusals,
            attesting=attesting,
            places=places,
        )
        gate: Gate[Response] = admission
        handler = admission.handle
        if uid is not None:
            disguise = AsUser(admission, uid)
            gate = disguise

            async def handler(request):  # type: ignore[no-untyped-def]
                request.peer = disguise.seen(request.peer)
                return await admission.handle(request)

        drain = Drain()
        path = folder / "admission.sock"
        with bound(path) as listener:
            async with trio.open_nursery() as conversations, trio.open_nursery() as accepting:
                await accepting.start(
                    partial(
                        serve_http,
                        trio.SocketListener(trio.socket.from_stdlib_socket(listener)),
                        handler,
                        limits=places.limits,
                        error_body=admission.error_body,
                        wall_clock=lambda: NOON,
                        conversations=conversations,
                        drain=drain,
                        gate=gate,
                    )
                )
                yield OpenSocket(desk, path, drain, conversations, reloads, admission)
                accepting.cancel_scope.cancel()
                conversations.cancel_scope.cancel()


def admission(body: bytes, *headers: str, query: str = "") -> bytes:
    return post(body, *headers, path=ADMISSIONS + query)


async def first_line(client: Client) -> dict[str, Any]:
    """The first line of an answer that stays open: head, chunk size, line."""
    head = await client._until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    await client._until(b"\r\n")
    return await next_line(client)


async def next_line(client: Client) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(await client.line())
    return decoded


def problem_of(answer: Answer) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.body)
    assert document["status"] == answer.status
    assert {"type", "title", "detail", "code", "reason", "hint"} <= document.keys()
    return document


def this_user() -> int:
    return os.getuid()
