"""Probes of applications on real sockets."""

from __future__ import annotations

import http.client
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent import futures
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
import trio

from kong_mesh_cp.core.errors import ListenError
from kuma_dp.probes.serving import ProbeSettings, serve
from support.daemons.tls_peers import pair
from support.data_plane.metric_peers import Metrics, Say
from support.data_plane.metric_peers import http as page
from support.suites.patience import HANG_SECONDS


@asynccontextmanager
async def probing(
    pages: Mapping[str, bytes | Say] | None = None, *, redirected: bool = False
) -> AsyncIterator[tuple[int, Metrics]]:
    """The port of the proxy, and an application."""
    application = Metrics(pages or {})
    async with trio.open_nursery() as nursery:
        await nursery.start(application.serve)
        settings = ProbeSettings(port=0, address="127.0.0.1", redirected=redirected)
        port = await nursery.start(partial(serve, settings))
        yield port, application
        nursery.cancel_scope.cancel()


async def probe(port: int, path: str, **headers: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
        given = {
            f"X-Kuma-Probes-{name.replace('_', '-')}": value for name, value in headers.items()
        }
        try:
            connection.request("GET", path, headers={**given, "X-Mine": "1"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    return await trio.to_thread.run_sync(ask)


async def test_an_application_that_answers_is_healthy() -> None:
    async with probing({"/healthz": page("fine")}) as (port, application):
        assert await probe(port, f"/{application.port}/healthz?a=b") == (200, "HEALTHY\n")
        head = application.asked[0].lower()
        assert head.startswith("get /healthz?a=b http/1.1\r\n")
        assert f"host: 127.0.0.1:{application.port}\r\n" in head
        assert "x-mine: 1\r\n" in head
        assert "x-kuma-probes" not in head


async def test_the_host_may_be_another() -> None:
    async with probing({"/": page("fine")}) as (port, application):
        await probe(port, f"/{application.port}", Host="example.org")
        assert "Host: example.org\r\n" in application.asked[0]


@pytest.mark.parametrize(
    ("status", "seen"),
    [("204 No Content", 200), ("302 Found", 200), ("404 Not Found", 404), ("503 Down", 503)],
)
async def test_the_status_of_the_application_decides_and_is_shown(status: str, seen: int) -> None:
    async with probing({"/": page("", status=status, Location="/")}) as (port, application):
        said = "HEALTHY\n" if seen == 200 else "UNHEALTHY\n"
        assert await probe(port, f"/{application.port}/") == (seen, said)


async def test_an_application_that_is_not_there_is_unhealthy() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        absent = reserved.getsockname()[1]
        async with probing() as (port, _):
            for kind in ("", "/tcp", "/grpc"):
                assert await probe(port, f"{kind}/{absent}") == (503, "UNHEALTHY\n")


async def test_an_application_that_hangs_is_unhealthy_when_its_time_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with probing() as (port, _):
            hanging = silent.getsockname()[1]
            for kind in ("", "/grpc"):
                assert await probe(port, f"{kind}/{hanging}") == (503, "UNHEALTHY\n")


async def test_an_application_that_does_not_speak_http_is_unhealthy() -> None:
    async def garbage(stream: trio.abc.Stream, _: str) -> None:
        await stream.send_all(b"\xff" * 100)

    async with probing({"/": garbage}) as (port, application):
        for kind in ("", "/grpc"):
            assert await probe(port, f"{kind}/{application.port}") == (503, "UNHEALTHY\n")


async def test_an_open_port_is_healthy_for_tcp() -> None:
    async with probing() as (port, application):
        assert await probe(port, f"/tcp/{application.port}") == (200, "HEALTHY\n")


async def test_without_a_port_nothing_is_known() -> None:
    async with probing() as (port, _):
        assert await probe(port, "/healthz") == (503, "UNKNOWN\n")


async def test_https_is_asked_whoever_is_there(tmp_path: Path) -> None:
    context = pair().context(tmp_path)
    async with trio.open_nursery() as nursery:
        application = Metrics({"/": page("fine")})
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def converse(stream: trio.SocketStream) -> None:
            await application.converse(trio.SSLStream(stream, context, server_side=True))

        nursery.start_soon(trio.serve_listeners, converse, [listener])
        place = listener.socket.getsockname()[1]
        port = await nursery.start(partial(serve, ProbeSettings(port=0, address="127.0.0.1")))
        assert await probe(port, f"/{place}/", Scheme="HTTPS") == (200, "HEALTHY\n")
        nursery.cancel_scope.cancel()


async def test_with_redirected_traffic_it_asks_from_where_nothing_is_redirected() -> None:
    peers = []

    async def page_of(stream: trio.abc.Stream, _: str) -> None:
        assert isinstance(stream, trio.SocketStream)
        peers.append(stream.socket.getpeername()[0])
        await stream.send_all(page(""))

    async with probing({"/": page_of}, redirected=True) as (port, application):
        await probe(port, f"/{application.port}")
    assert peers == ["127.0.0.6"]


@contextmanager
def health_server(answers: dict[bytes, bytes]) -> Iterator[int]:
    """grpcio's own server; the message that it gets names the answer."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        if request not in answers:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answers[request]

    method = grpc.unary_unary_rpc_method_handler(check)
    handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


async def test_a_service_of_grpc_is_asked_by_its_health_protocol() -> None:
    with health_server({b"": b"\x08\x01", b"\x0a\x03a.B": b"\x08\x02"}) as place:
        async with probing() as (port, _):
            assert await probe(port, f"/grpc/{place}", Timeout="60") == (200, "HEALTHY\n")
            for service in ("a.B", "unheard.of"):
                seen = await probe(port, f"/grpc/{place}", GRPC_Service=service, Timeout="60")
                assert seen == (503, "UNHEALTHY\n")


async def test_a_port_that_is_taken_is_refused_with_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ProbeSettings(port=taken.getsockname()[1], address="127.0.0.1", host="127.0.0.1")
        with pytest.raises(ListenError) as refused:
            await serve(settings)
    assert refused.value.code == "port-taken"
    assert "KUMA_APPLICATION_PROBE_PROXY_PORT" in refused.value.hint
