"""Metrics on their way to a collector that speaks gRPC, on a Unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
import trio

from kuma_dp import grpc_call
from kuma_dp.grpc_call import CallError, call
from kuma_dp.metrics import mesh_metric, otlp
from kuma_dp.metrics.exporting import Exporting
from kuma_dp.metrics.exposition import ExpositionReader, Family
from kuma_dp.metrics.mesh_metric import Exporter
from support.specs.otlp_messages import read_request
from support.suites.patience import HANG_SECONDS

NOW = 1_700_000_000_000_000_000
QUICKLY = 0.05


@contextmanager
def collector(path: Path, heard: list[list[str]], *, refuses: bool = False) -> Iterator[None]:
    """grpcio's own server; `heard` gets the names in each request."""

    def export(request: bytes, context: grpc.ServicerContext) -> bytes:
        if refuses:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "come back later")
        read = read_request(request)
        heard.append([each.name for each in read.resource_metrics[0].scope_metrics[0].metrics])
        return b""

    method = grpc.unary_unary_rpc_method_handler(export)
    service = "opentelemetry.proto.collector.metrics.v1.MetricsService"
    handler = grpc.method_handlers_generic_handler(service, {"Export": method})
    server = grpc.server(
        futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)]
    )
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


async def families(text: str) -> list[Family]:
    reader = ExpositionReader()
    reader.feed(text.encode())
    reader.end()
    return list(reader.families.values())


def exporting(nursery: trio.Nursery, text: str = "a 1\nb 2\n") -> Exporting:
    return Exporting(nursery, partial(families, text), "web", lambda: NOW)


@asynccontextmanager
async def exporting_to(path: Path, heard: list[list[str]]) -> AsyncIterator[Exporting]:
    """To a collector at `path`; at the end nothing runs any more."""
    with collector(path, heard):
        async with trio.open_nursery() as nursery:
            sending = exporting(nursery)
            yield sending
            sending.follow([])


async def until(condition: list[list[str]], size: int) -> None:
    with trio.fail_after(HANG_SECONDS):
        while len(condition) < size:
            await trio.sleep(0.01)


async def test_metrics_are_sent_again_and_again_until_the_policy_ends_it(tmp_path: Path) -> None:
    heard: list[list[str]] = []
    path = tmp_path / "o.sock"
    async with exporting_to(path, heard) as sending:
        sending.follow([Exporter("o", str(path), QUICKLY)])
        await until(heard, 2)
    assert heard[0] == ["a", "b"]


async def test_another_interval_takes_the_place_of_the_first(tmp_path: Path) -> None:
    heard: list[list[str]] = []
    path = tmp_path / "o.sock"
    async with exporting_to(path, heard) as sending:
        sending.follow([Exporter("o", str(path), 3600)])
        sending.follow([Exporter("o", str(path), QUICKLY)])
        await until(heard, 1)


async def test_a_collector_that_refuses_or_is_not_there_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[list[str]] = []
    path = tmp_path / "o.sock"
    async with trio.open_nursery() as nursery:
        sending = exporting(nursery)
        sending.follow([Exporter("absent", str(path), QUICKLY)])
        await said(caplog, "metrics-unexported: absent does not take metrics")
        sending.follow([])
        with collector(path, heard, refuses=True):
            sending.follow([Exporter("busy", str(path), QUICKLY)])
            await said(caplog, "it answers with the status 8 come back later")
        sending.follow([])


async def said(caplog: pytest.LogCaptureFixture, text: str) -> None:
    with trio.fail_after(HANG_SECONDS):
        while text not in caplog.text:
            await trio.sleep(0.01)


async def test_a_message_that_is_larger_than_windows_arrives(tmp_path: Path) -> None:
    heard: list[list[str]] = []
    path = tmp_path / "o.sock"
    text = "".join(f'metric_{n}{{x="{"y" * 1000}"}} 1\n' for n in range(1000))
    with collector(path, heard):
        async with await trio.open_unix_socket(str(path)) as stream:
            (message,) = otlp.requests(await families(text), "web", NOW)
            assert len(message) > 1_000_000
            answer = await call(
                stream, authority="a", path=otlp.EXPORT, message=message, user_agent="test"
            )
    assert answer == b""
    assert len(heard[0]) == 1000


PREFACE = b"\0\0\0\x04\0\0\0\0\0"  # SETTINGS, empty


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "it has closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it has closed the connection"),
        (PREFACE + b"\0\0\x05\x06\0\0\0\0\0" + b"\0" * 5, "it does not speak HTTP/2"),
        (PREFACE + b"\0\0\x08\x07\0\0\0\0\0" + b"\0" * 8, "it has ended the connection"),
        (PREFACE + b"\0\0\x04\x03\0\0\0\0\x01" + b"\0\0\0\x02", "it has reset the call"),
        (PREFACE + b"\0\0\x01\x01\x05\0\0\0\x01" + b"\x88", "it answers with the status 2"),
        (PREFACE + b"\0\0\x01\x01\x05\0\0\0\x01" + b"\x8d", "it answers with 404"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 2_000_000, "its answer is longer than 1024 KiB"),
    ],
)
async def test_what_is_no_answer_is_told(sent: bytes, why: str) -> None:
    mine, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(sent)
    await theirs.send_eof()
    with pytest.raises(CallError) as failed:
        await call(mine, authority="a", path="/a", message=b"", user_agent="test")
    assert why in str(failed.value)


async def test_a_header_of_an_answer_may_be_of_any_bytes() -> None:
    mine, theirs = trio.testing.memory_stream_pair()
    own = b"\x88" + b"\0\x03x-a\x02\xff\xfe"  # a status of 200, and what is no UTF-8
    head = b"\0\0" + bytes([len(own)]) + b"\x01\x04\0\0\0\x01" + own
    refused = b"\0\x0bgrpc-status\x018" + b"\0\x0cgrpc-message\x02\xc3\x28"
    trailers = b"\0\0" + bytes([len(refused)]) + b"\x01\x05\0\0\0\x01" + refused
    await theirs.send_all(PREFACE + head + trailers)
    with pytest.raises(CallError, match="it answers with the status 8 \ufffd\\("):
        await call(mine, authority="a", path="/a", message=b"", user_agent="test")


async def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_call, "ANSWER_BYTES_MAX", 100)
    mine, theirs = trio.testing.memory_stream_pair()
    head = b"\0\0\x01\x01\x04\0\0\0\x01" + b"\x88"
    await theirs.send_all(PREFACE + head + b"\0\0\x65\0\0\0\0\0\x01" + b"a" * 101)
    with pytest.raises(CallError, match="its answer is longer than"):
        await call(mine, authority="a", path="/a", message=b"", user_agent="test")


def test_exports_are_not_more_often_than_once_a_second() -> None:
    assert mesh_metric.EXPORT_SECONDS_MIN >= 1
