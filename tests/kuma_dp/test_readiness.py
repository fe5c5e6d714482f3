"""`/ready` says how the proxy is."""

from __future__ import annotations

import socket

import pytest
import trio

from kong_mesh_cp.core.errors import ListenError
from kuma_dp import readiness
from kuma_dp.http_exchange import Answer, ask
from kuma_dp.readiness import State


async def asked(port: int, path: str = "/ready") -> Answer:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        return await (await ask(stream, "GET", path, host="localhost")).whole()


async def test_it_is_ready_between_its_start_and_its_end() -> None:
    state = State.STARTING
    listener = readiness.listen("127.0.0.1", 0)
    port: int = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(readiness.serve, listener, lambda: state)
        for state, status in ((State.STARTING, 503), (State.READY, 200), (State.TERMINATING, 503)):
            answer = await asked(port)
            assert (answer.status, answer.body.decode()) == (status, state.name)
            assert answer.headers["content-type"] == "text/plain"
            assert answer.headers["x-powered-by"] == "kuma-dp"
        assert (await asked(port, "/other")).status == 404
        nursery.cancel_scope.cancel()


async def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ListenError) as refused:
        readiness.listen("127.0.0.1", taken.getsockname()[1])
    assert (refused.value.code, refused.value.exit_status) == ("port-taken", 69)
    assert "KUMA_READINESS_PORT" in refused.value.hint
