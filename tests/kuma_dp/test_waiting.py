"""`kuma-dp wait` returns when a proxy is ready, and says why it is not."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kuma_dp import readiness
from kuma_dp.readiness import State
from kuma_dp.waiting import Waiting, wait


def waiting(port: int, path: str = "/ready", seconds: float = 600.0) -> Waiting:
    return Waiting(
        url=f"http://127.0.0.1:{port}{path}",
        check_seconds=0.01,
        seconds=seconds,
        request_seconds=60.0,
    )


async def test_it_waits_as_long_as_the_proxy_starts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state = State.STARTING
    asked = trio.Event()

    def shown() -> State:
        asked.set()
        return state

    listener = readiness.listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(readiness.serve, listener, shown)
        ended = trio.Event()

        async def until_ready() -> None:
            await wait(waiting(listener.socket.getsockname()[1]))
            ended.set()

        nursery.start_soon(until_ready)
        await asked.wait()
        assert not ended.is_set()
        state = State.READY
        await ended.wait()
        nursery.cancel_scope.cancel()
    # However often it asks, it says a thing once.
    assert caplog.messages == ["the proxy is not ready: it answers with 503", "the proxy is ready"]


async def test_its_time_is_bounded_and_the_last_reason_is_told() -> None:
    with trio.socket.socket() as closed:
        await closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]  # where nobody listens
        with pytest.raises(ControlPlaneError) as refused:
            await wait(waiting(port, seconds=0.5))
    assert (refused.value.code, refused.value.exit_status) == ("proxy-not-ready", 69)
    assert "Connection refused" in refused.value.line


@pytest.mark.parametrize("url", ["", "localhost:9901", "https://localhost/ready", "http://[", "/"])
async def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ControlPlaneError) as refused:
        await wait(Waiting(url=url, check_seconds=1, seconds=1, request_seconds=1))
    assert (refused.value.code, refused.value.exit_status) == ("setting-malformed", 78)


def test_the_command_ends_with_a_status_and_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kuma_dp", "wait", "--url=http://127.0.0.1:1/", "--timeout=100ms"],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 69
    assert done.stderr.splitlines()[-1].startswith("kuma-dp: proxy-not-ready: ")
