"""A real Envoy writes access logs into the pipe, in both forms that control planes ask for."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import trio

from kuma_dp.access_logs.serving import AccessLogSettings, serve
from support.daemons.daemon import free_port
from support.data_plane.envoy_binary import envoy_binary
from support.data_plane.real_envoy import Envoy
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

REQUESTS = 50


def configuration(admin: int, port: int, pipe: Path, collector: int) -> bytes:
    """One listener that answers by itself, with two logs."""
    address = f"127.0.0.1:{collector}"
    formats = [
        {"text_format_source": {"inline_string": f"{address};older %REQ(X-NUMBER)%\n"}},
        {"json_format": {"address": address, "message": {"newer": "%REQ(X-NUMBER)%"}}},
    ]
    kind = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
    logs = [
        {
            "name": "envoy.access_loggers.file",
            "typed_config": {"@type": kind, "path": str(pipe), "log_format": each},
        }
        for each in formats
    ]
    filters = "type.googleapis.com/envoy.extensions.filters"
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{filters}.http.router.v3.Router"},
    }
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    manager = {
        "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "access_log": logs,
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [route]}]},
    }
    chain = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }

    def at(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    listener = {"name": "l", "address": at(port), "filter_chains": [chain]}
    document = {"admin": {"address": at(admin)}, "static_resources": {"listeners": [listener]}}
    return json.dumps(document).encode()


async def test_records_of_both_forms_come_to_the_collector(tmp_path: Path) -> None:
    binary, pipe, heard = envoy_binary(), tmp_path / "kuma-al.sock", bytearray()

    async def collect(stream: trio.SocketStream) -> None:
        async for data in stream:
            heard.extend(data)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    collector = listener.socket.getsockname()[1]
    port, admin = free_port(), free_port()
    with Envoy(binary, tmp_path / "envoy", admin) as envoy:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, collect, [listener])
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as served:
                    await served.start(partial(serve, AccessLogSettings(pipe=pipe)))
                    bootstrap = configuration(admin, port, pipe, collector)
                    await trio.to_thread.run_sync(envoy.start, bootstrap)
                    for number in range(REQUESTS):
                        await ask(port, number)
                    # What it has not written yet it writes at its end.
                    await trio.to_thread.run_sync(envoy.stop)
                    scope.cancel()
            with trio.fail_after(HANG_SECONDS):
                while heard.count(b"\n") < 2 * REQUESTS:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    expected = [f"older {n}" for n in range(REQUESTS)] + [
        json.dumps({"newer": str(n)}, separators=(",", ":")) for n in range(REQUESTS)
    ]
    assert sorted(heard.decode().splitlines()) == sorted(expected)


async def ask(port: int, number: int) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        head = f"GET / HTTP/1.1\r\nhost: a\r\nx-number: {number}\r\nconnection: close\r\n\r\n"
        await stream.send_all(head.encode())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
