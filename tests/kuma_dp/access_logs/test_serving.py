"""Records on their way from a pipe to collectors, on real sockets."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import ListenError
from kuma_dp.access_logs import sending, serving
from kuma_dp.access_logs.serving import AccessLogSettings, serve
from support.suites.patience import HANG_SECONDS


@dataclass
class Collecting:
    """A collector; `heard` is all that it was sent, over however many connections."""

    heard: bytearray = field(default_factory=bytearray)
    connections: list[trio.SocketStream] = field(default_factory=list)
    port: int = 0
    _changed: trio.Event = field(default_factory=trio.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        await trio.serve_listeners(self._take, listeners, task_status=task_status)  # type: ignore[arg-type]

    async def _take(self, stream: trio.SocketStream) -> None:
        self.connections.append(stream)
        async with stream:
            try:
                async for data in stream:
                    self.heard += data
                    self._changed.set()
                    self._changed = trio.Event()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def has(self, expected: bytes) -> None:
        """Wait until this and nothing else was sent."""
        with trio.fail_after(HANG_SECONDS):
            while len(self.heard) < len(expected):
                await self._changed.wait()
        assert bytes(self.heard) == expected


@asynccontextmanager
async def passed_on(tmp_path: Path, *collectors: Collecting) -> AsyncIterator[Path]:
    pipe = tmp_path / "al.sock"
    async with trio.open_nursery() as nursery:
        for each in collectors:
            await nursery.start(each.serve)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as served:
                await served.start(partial(serve, AccessLogSettings(pipe=pipe)))
                yield pipe
                scope.cancel()
        nursery.cancel_scope.cancel()


def write(pipe: Path, *records: tuple[str, object]) -> None:
    """As Envoy does: in one go, with a newline behind each record."""
    lines = [json.dumps({"address": a, "message": m}) + "\n" for a, m in records]
    with pipe.open("ab", buffering=0) as opened:
        opened.write("".join(lines).encode())


async def test_records_come_to_their_collectors_in_order(tmp_path: Path) -> None:
    one, two = Collecting(), Collecting()
    async with passed_on(tmp_path, one, two) as pipe:
        write(pipe, (one.address, "a"), (two.address, {"b": 1}), (one.address, "c"))
        write(pipe, (one.address, "d"))
        await one.has(b"a\nc\nd\n")
        await two.has(b'{"b":1}\n')
    assert len(one.connections) == 1


async def test_the_pipe_is_of_its_user_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "al.sock").write_text("a file that Envoy made when there was no pipe")
    async with passed_on(tmp_path) as pipe:
        mode = pipe.stat().st_mode
        assert stat.S_ISFIFO(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not pipe.exists()


async def test_envoy_may_open_it_again(tmp_path: Path) -> None:
    collector = Collecting()
    async with passed_on(tmp_path, collector) as pipe:
        for text in ("a", "b"):
            write(pipe, (collector.address, text))
            await collector.has(b"a\n" if text == "a" else b"a\nb\n")


async def test_what_was_written_before_the_end_is_still_sent(tmp_path: Path) -> None:
    collector = Collecting()
    async with trio.open_nursery() as nursery:
        await nursery.start(collector.serve)
        pipe = tmp_path / "al.sock"
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as served:
                await served.start(partial(serve, AccessLogSettings(pipe=pipe)))
                write(pipe, *[(collector.address, "x" * 1000)] * 100)
                scope.cancel()
        await collector.has((b"x" * 1000 + b"\n") * 100)
        nursery.cancel_scope.cancel()


async def test_a_collector_that_is_not_there_holds_up_nobody_and_is_sent_all_when_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "RETRY_SECONDS_MIN", 0.01)
    absent, present = Collecting(), Collecting()
    with trio.socket.socket() as reserved:
        await reserved.bind(("127.0.0.1", 0))
        absent.port = reserved.getsockname()[1]
    async with passed_on(tmp_path, present) as pipe, trio.open_nursery() as nursery:
        write(pipe, (absent.address, "a"), (present.address, "b"), (absent.address, "c"))
        await present.has(b"b\n")
        with trio.fail_after(HANG_SECONDS):
            while "access-log-unsent: " not in caplog.text:
                await trio.sleep(0.01)
        await nursery.start(absent.serve)
        await absent.has(b"a\nc\n")
        nursery.cancel_scope.cancel()


async def test_a_collector_that_goes_is_connected_to_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "RETRY_SECONDS_MIN", 0.01)
    collector = Collecting()
    async with passed_on(tmp_path, collector) as pipe:
        write(pipe, (collector.address, "a"))
        await collector.has(b"a\n")
        await collector.connections[0].aclose()
        with trio.fail_after(HANG_SECONDS):
            while len(collector.connections) < 2:
                write(pipe, (collector.address, "b"))  # what breaks on its way is lost
                await trio.sleep(0.01)
        assert bytes(collector.heard).startswith(b"a\n")


async def test_what_waits_for_a_collector_is_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WAITING_BYTES_MAX", 1000)
    monkeypatch.setattr(serving, "FAREWELL_SECONDS_MAX", 0.01)
    present = Collecting()
    async with passed_on(tmp_path, present) as pipe:
        # Nobody answers there: RFC 5737 keeps the network for documents.
        write(pipe, *[("192.0.2.1:9", "x" * 99)] * 11, (present.address, "b"))
        await present.has(b"b\n")
    assert caplog.text.count("access-log-dropped: records for 192.0.2.1:9 are dropped") == 1


async def test_collectors_are_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "COLLECTORS_MAX", 1)
    one, two = Collecting(), Collecting()
    async with passed_on(tmp_path, one, two) as pipe:
        write(pipe, (one.address, "a"), (two.address, "b"), (one.address, "c"))
        await one.has(b"a\nc\n")
    assert two.heard == b""
    assert "access-log-dropped: records go to 1 collectors already" in caplog.text


async def test_hostile_bytes_end_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collecting()
    async with passed_on(tmp_path, collector) as pipe:
        with pipe.open("ab", buffering=0) as opened:
            opened.write(b"\n\xff\xff\n{\n;\n" + b"[" * 60_000 + b"\n\0;\0\nhost\0:1;x\n")
        with trio.fail_after(HANG_SECONDS):
            while "access-log-malformed: " not in caplog.text:
                await trio.sleep(0.01)
        write(pipe, (collector.address, "a"))
        await collector.has(b"a\n")
    assert caplog.text.count("access-log-malformed: ") == 1, "it is said, but not for each"


async def test_a_place_where_no_pipe_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListenError) as refused:
        await serve(AccessLogSettings(pipe=tmp_path / "absent" / "al.sock"))
    assert refused.value.code == "pipe-unusable"
    assert os.strerror(2) in refused.value.message
