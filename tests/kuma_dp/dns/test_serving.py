"""The DNS server on real sockets, between askers, something like Envoy, and a machine's server."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import ListenError
from kuma_dp.dns import resolving, serving
from kuma_dp.dns.serving import DnsSettings, serve
from support.data_plane.dns_peers import (
    AAAA,
    HTTPS,
    MX,
    NAME_ERROR,
    NO_ERROR,
    REFUSED,
    SERVER_FAILURE,
    Answers,
    DnsServer,
    address_record,
    always,
    answer_to,
    ask,
    ask_over_tcp,
    like_envoy,
    never,
    query,
    question,
)
from support.data_plane.served_names import names_served
from support.suites.patience import HANG_SECONDS

MESH = like_envoy(backend_mesh="240.0.0.1")
WORLD = always(address_record("192.0.2.7"))


class Stage:
    """A DNS server with its two sources."""

    def __init__(self, port: int, envoy: DnsServer, machine: DnsServer) -> None:
        self.port = port
        self.envoy = envoy
        self.machine = machine


@asynccontextmanager
async def running(
    tmp_path: Path, *, envoy: Answers = MESH, machine: Answers = WORLD, log_queries: bool = False
) -> AsyncIterator[Stage]:
    sources = DnsServer(envoy), DnsServer(machine)
    settings = DnsSettings(log_queries=log_queries)
    async with names_served(tmp_path, *sources, settings) as port:
        yield Stage(port, *sources)


async def test_a_name_of_the_mesh_comes_from_envoy(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        heard = await ask(stage.port, query("backend.mesh", number=7))
        assert (heard.number, heard.addresses) == (7, ["240.0.0.1"])
        assert stage.machine.asked == [], "no other server hears of it"


async def test_capitals_make_no_other_name(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        heard = await ask(stage.port, query("BACKend.Mesh"))
        assert heard.addresses == ["240.0.0.1"]
        assert heard.question == question("BACKend.Mesh")


@pytest.mark.parametrize("kind", [AAAA, MX, HTTPS])
async def test_a_name_of_the_mesh_has_an_address_and_nothing_else(
    tmp_path: Path, kind: int
) -> None:
    """Rather than no such name, after which some programs forget about the address."""
    async with running(tmp_path, machine=always(code=NAME_ERROR)) as stage:
        heard = await ask(stage.port, query("backend.mesh", kind))
        assert (heard.code, heard.addresses) == (NO_ERROR, [])
        assert stage.machine.asked == []


async def test_other_names_come_from_the_servers_of_the_machine(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        heard = await ask(stage.port, query("example.org", number=7, edns=True))
        assert (heard.number, heard.addresses) == (7, ["192.0.2.7"])
        (asked,) = stage.machine.asked
        assert asked[2:] == query("example.org", edns=True)[2:], "the query goes on as it came"


async def test_other_types_come_from_the_servers_of_the_machine(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        assert (await ask(stage.port, query("example.org", MX))).code == NO_ERROR
        assert len(stage.machine.asked) == 1


async def test_what_no_server_knows_is_no_name(tmp_path: Path) -> None:
    async with running(tmp_path, machine=always(code=NAME_ERROR)) as stage:
        assert (await ask(stage.port, query("example.org"))).code == NAME_ERROR


async def test_over_tcp_the_machine_is_asked_over_tcp_and_queries_may_come_together(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as stage:
        first, second = await ask_over_tcp(stage.port, query("backend.mesh"), query("example.org"))
        assert (first.addresses, second.addresses) == (["240.0.0.1"], ["192.0.2.7"])
        assert stage.machine.over_tcp == 1


async def test_an_answer_cut_short_is_passed_on_for_the_asker_to_come_over_tcp(
    tmp_path: Path,
) -> None:
    async def cut(message: bytes) -> list[bytes]:
        answer = answer_to(message)
        return [answer[:2] + bytes([answer[2] | 0x02]) + answer[3:]]

    async with running(tmp_path, machine=cut) as stage:
        assert (await ask(stage.port, query("example.org"))).is_cut


async def test_without_envoy_other_names_are_still_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, envoy=never) as stage:
        assert (await ask(stage.port, query("example.org"))).addresses == ["192.0.2.7"]
        assert (await ask(stage.port, query("example.org"))).addresses == ["192.0.2.7"]
    assert caplog.text.count("dns-envoy-silent: ") == 1, "and it is said, but not for each query"


async def test_when_nobody_answers_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "SERVER_SECONDS_MAX", 0.05)
    async with running(tmp_path, machine=never) as stage:
        heard = await ask(stage.port, query("example.org", number=7))
        assert (heard.number, heard.code) == (7, SERVER_FAILURE)
        assert len(stage.machine.asked) == 2, "a lost packet is no reason to give up"
    assert "dns-server-silent: the server 127.0.0.1" in caplog.text


async def test_a_refusal_is_passed_on_when_there_is_no_other_server(tmp_path: Path) -> None:
    async with running(tmp_path, machine=always(code=REFUSED)) as stage:
        assert (await ask(stage.port, query("example.org"))).code == REFUSED


async def test_without_any_server_names_of_the_mesh_are_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as stage:
        (tmp_path / "resolv.conf").unlink()
        assert (await ask(stage.port, query("backend.mesh"))).addresses == ["240.0.0.1"]
        assert (await ask(stage.port, query("example.org"))).code == SERVER_FAILURE
    assert "dns-no-servers: " in caplog.text


async def test_forged_answers_are_not_taken(tmp_path: Path) -> None:
    async def forged(message: bytes) -> list[bytes]:
        evil = address_record("203.0.113.66")
        number = struct.unpack_from("!H", message)[0]
        return [
            answer_to(query("other.org", number=number), evil),
            answer_to(query("example.org", number=number ^ 1), evil),
            b"\xff" * 30,
            message,
            answer_to(message, address_record("192.0.2.7")),
        ]

    async with running(tmp_path, machine=forged) as stage:
        assert (await ask(stage.port, query("example.org"))).addresses == ["192.0.2.7"]


async def test_hostile_datagrams_end_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as asking:
            await asking.connect(("127.0.0.1", stage.port))
            good = query("backend.mesh")
            for size in range(len(good)):
                await asking.send(good[:size])
            for flood in (b"", b"\xff" * 60_000, query("a", flags=0x8000), b"\xc0" * 512):
                await asking.send(flood)
        assert (await ask(stage.port, good)).addresses == ["240.0.0.1"]


async def test_hostile_connections_end_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        for data in (b"\0", b"\0\0", b"\xff\xff" + b"a" * 100, b"\0\x0c" + b"\xff" * 12):
            stream = await trio.open_tcp_stream("127.0.0.1", stage.port)
            await stream.send_all(data)
            await trio.aclose_forcefully(stream)
        (heard,) = await ask_over_tcp(stage.port, query("backend.mesh"))
        assert heard.addresses == ["240.0.0.1"]


async def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CONNECTIONS_MAX", 2)
    async with running(tmp_path) as stage:
        kept = []
        for _ in range(2):
            stream = await trio.open_tcp_stream("127.0.0.1", stage.port)
            await stream.send_all(b"\0")
            kept.append(stream)
        async with await trio.open_tcp_stream("127.0.0.1", stage.port) as refused:
            with trio.fail_after(HANG_SECONDS):
                assert await refused.receive_some(1) == b""
        for stream in kept:
            await trio.aclose_forcefully(stream)


async def test_queries_at_once_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "QUERIES_AT_ONCE_MAX", 3)
    asked = trio.Event()
    waiting = trio.Event()

    async def slow(message: bytes) -> list[bytes]:
        asked.set()
        await waiting.wait()
        return [answer_to(message, address_record("192.0.2.7"))]

    async with running(tmp_path, machine=slow) as stage, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask, stage.port, query("example.org"))
            await asked.wait()
            asked = trio.Event()
        assert (await ask(stage.port, query("example.org"))).code == SERVER_FAILURE
        waiting.set()
    assert "dns-busy: " in caplog.text


async def test_queries_are_logged_when_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, log_queries=True) as stage:
        await ask(stage.port, query("back\nend.mesh"))
    assert "dns-query: back\\nend.mesh type 1: code 0, " in caplog.text


async def test_a_port_that_is_taken_is_refused_with_the_setting_that_moves_it() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as refused:
            await serve(DnsSettings(port=port))
    assert refused.value.code == "port-taken"
    assert f"port {port} on 127.0.0.1" in refused.value.message
    assert "KUMA_DNS_CORE_DNS_PORT" in refused.value.hint


async def test_it_listens_on_both_loopback_addresses(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    envoy = DnsServer(MESH)
    async with trio.open_nursery() as nursery:
        await nursery.start(envoy.serve)
        settings = DnsSettings(port=0, envoy_port=envoy.port, name_servers_file=file)
        port = await nursery.start(partial(serve, settings))
        hosts = ["127.0.0.1", "::1"] if has_ipv6_loopback() else ["127.0.0.1"]
        for host in hosts:
            assert (await ask(port, query("backend.mesh"), host)).addresses == ["240.0.0.1"]
        nursery.cancel_scope.cancel()


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as opened:
            opened.bind(("::1", 0))
    except OSError:
        return False
    return True
