"""A TCP proxy between a client and a server, which can be told to be a bad network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

CHUNK_BYTES = 65536


class BadNetwork:
    """Made by `between`; `port` is where clients come.

    `cut_before` and `cut_after`: bytes of a client that end its connection, before or after they
    have reached the server. `silent`: nothing passes any more, and nobody is told.
    """

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.refusing = False
        self.silent = False
        self.cut_before: bytes | None = None
        self.cut_after: bytes | None = None
        self.cuts = 0
        self._server_port = server_port
        self._connections: set[trio.CancelScope] = set()
        self._muted: set[trio.CancelScope] = set()

    @classmethod
    @asynccontextmanager
    async def between(cls, server_port: int) -> AsyncIterator[BadNetwork]:
        network = cls(server_port)
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, network._pass, 0, host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            network.port = listener.socket.getsockname()[1]
            yield network
            nursery.cancel_scope.cancel()

    def cut(self) -> None:
        """End all connections that there are."""
        for scope in self._connections:
            scope.cancel()

    async def _pass(self, client: trio.SocketStream) -> None:
        if self.refusing:
            await client.aclose()
            return
        server = await trio.open_tcp_stream("127.0.0.1", self._server_port)
        async with server, trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            self._connections.add(scope)
            nursery.start_soon(self._forward, client, server, scope)
            nursery.start_soon(self._forward, server, client, scope)
        self._connections.discard(scope)

    async def _forward(
        self, source: trio.SocketStream, sink: trio.SocketStream, ended: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some(CHUNK_BYTES):
                if self.silent:
                    continue
                if ended in self._muted:
                    break
                if self.cut_before is not None and self.cut_before in data:
                    self.cut_before = None
                    self.cuts += 1
                    break
                if self.cut_after is not None and self.cut_after in data:
                    # The server's answer shows that it has done it; it goes no further. Said
                    # before the words go out: the answer may be here before we run again.
                    self.cut_after = None
                    self.cuts += 1
                    self._muted.add(ended)
                await sink.send_all(data)
        ended.cancel()
