"""HTTP inside TLS: what plain connections can do, and peers who get the handshake wrong."""

from __future__ import annotations

import shutil
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.h1.streaming import HELD_BACKLOG_BYTES_MAX
from kong_mesh_cp.shell.http.messages import HeldStream, Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.http_peers import chunked, get, post
from support.daemons.tls_peers import ServedTls, pair, serving_tls
from support.suites.patience import HANG_SECONDS

LARGE = b"x" * 700_000


async def hello(served: ServedTls) -> bytes:
    """What a client of TLS says first."""
    out = ssl.MemoryBIO()
    client = pair().trusting().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    assert served.port
    return out.read()


async def test_requests_and_answers_of_any_size_follow_each_other(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.client() as client:
        assert (await client.ask(get("/a"))).body == b"GET /a "
        assert (await client.ask(post(LARGE, path="/b"))).body == b"POST /b " + LARGE
        assert (await client.ask(chunked(LARGE, b"end"))).body == b"POST / " + LARGE + b"end"
        await client.send(get("/c") + get("/d"))
        assert [(await client.answer()).body for _ in "cd"] == [b"GET /c ", b"GET /d "]


async def test_a_request_may_come_byte_by_byte(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.client() as client:
        for byte in post(b"slow"):
            await client.send(bytes([byte]))
        assert (await client.answer()).body == b"POST / slow"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_handler_sees_who_asks(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async def handler(request: Request) -> Response:
        assert request.peer.address is not None
        assert request.peer.socket.getpeername() == request.peer.address
        return Response(200, request.peer.address[0].encode())

    context = pair().trusting()
    context.minimum_version = context.maximum_version = version
    async with serving_tls(tmp_path, handler) as server, server.client(context) as client:
        assert (await client.ask(get())).body == b"127.0.0.1"


async def test_the_end_of_a_connection_is_announced_inside_tls(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.client() as client:
        assert (await client.ask(get("/", "Connection: close"))).status == 200
        assert await client.rest() == b""


async def test_what_the_server_refuses_is_answered_inside_tls(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.client() as client:
        assert (await client.ask(b"\0\r\n\r\n")).status == 400
        assert await client.rest() == b""


async def test_one_connection_too_many_is_refused_inside_tls(tmp_path: Path) -> None:
    asked = trio.Event()

    async def handler(_: Request) -> Response:
        asked.set()
        await trio.sleep_forever()

    async with (
        serving_tls(tmp_path, handler, limits=Limits(connections_max=1)) as server,
        server.client() as first,
    ):
        await first.send(get())
        await asked.wait()
        async with server.client() as second:
            assert (await second.ask(get())).body == b"busy"


async def test_a_held_answer_stays_open_until_the_peer_leaves(tmp_path: Path) -> None:
    left = trio.Event()

    async def hold(stream: HeldStream) -> None:
        assert stream.send_line(b"second\n")
        assert not stream.peer_gone()
        await stream.wait_closed()

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(b"first\n", hold, left.set)

    async with serving_tls(tmp_path, handler) as server:
        async with server.client() as client:
            await client.ask(get())
            assert [await client.line() for _ in range(2)] == [b"6\r\n", b"first\n"]
            assert [await client.line() for _ in range(3)] == [b"\r\n", b"7\r\n", b"second\n"]
            assert not left.is_set()
        with trio.fail_after(HANG_SECONDS):
            await left.wait()


async def test_a_held_answer_drops_whole_lines_for_a_peer_that_does_not_read(
    tmp_path: Path,
) -> None:
    line = b"y" * 1000 + b"\n"
    may_end = trio.Event()
    sent = 0

    async def hold(stream: HeldStream) -> None:
        nonlocal sent
        while stream.send_line(line):
            sent += 1
        await may_end.wait()
        with trio.move_on_after(HANG_SECONDS):
            await stream.wait_closed()

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(b"first\n", hold, lambda: None)

    async with serving_tls(tmp_path, handler) as server, server.client() as client:
        await client.ask(get(version="1.0"))
        await trio.testing.wait_all_tasks_blocked()
        assert sent * len(line) > HELD_BACKLOG_BYTES_MAX
        may_end.set()
        with trio.fail_after(HANG_SECONDS):
            received = b"".join([await client.line() for _ in range(sent + 1)])
        assert received == b"first\n" + line * sent


async def test_a_stop_ends_what_is_idle_or_held_and_says_so(tmp_path: Path) -> None:
    async def handler(request: Request) -> Response | StreamingResponse:
        if request.path == "/idle":
            return Response(200)
        return StreamingResponse(b"first\n", lambda stream: stream.wait_closed(), lambda: None)

    async with (
        serving_tls(tmp_path, handler) as server,
        server.client() as idle,
        server.client() as held,
    ):
        await idle.ask(get("/idle"))
        await held.ask(get("/held"))
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        with trio.fail_after(HANG_SECONDS):
            assert await idle.rest() == b""
            assert (await held.rest()).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\x00\x05hello", b"\x16" + b"\xff" * 400, b"\x80\x2e\x01\x00\x02", b"\0"]
)
async def test_garbage_ends_only_its_own_connection(tmp_path: Path, said: bytes) -> None:
    async with serving_tls(tmp_path) as server, server.client() as neighbour:
        async with server.plain() as stream:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(said)
                await stream.send_eof()
                while await stream.receive_some():
                    pass
        assert (await neighbour.ask(get())).status == 200
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.conversations.child_tasks) == 1


async def test_plain_http_is_answered_with_the_advice_to_use_https(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.plain() as stream:
        await stream.send_all(get())
        answer = b""
        while more := await stream.receive_some():
            answer += more

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"https-expected")


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize("portion", [0, 1, 50])
async def test_a_handshake_that_stops_is_cut_in_time(tmp_path: Path, portion: int) -> None:
    async with (
        serving_tls(tmp_path, limits=Limits(handshake_seconds=7)) as server,
        server.plain() as stream,
    ):
        started_at = trio.current_time()
        if portion:
            await stream.send_all((await hello(server))[:portion])
        with suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""
        assert trio.current_time() - started_at == pytest.approx(7)


async def test_handshakes_that_stop_do_not_hold_up_others(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.plain() as first, server.plain() as second:
        await first.send_all((await hello(server))[:50])
        await second.send_all((await hello(server))[:-1])
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(HANG_SECONDS):
            async with server.client() as client:
                assert (await client.ask(get())).status == 200


@pytest.mark.usefixtures("autojump_clock")
async def test_a_stop_waits_a_moment_for_a_handshake(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server, server.plain() as stream:
        await stream.send_all((await hello(server))[:50])
        await trio.testing.wait_all_tasks_blocked()
        started_at = trio.current_time()
        server.drain.start()
        with suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""
        assert trio.current_time() - started_at == pytest.approx(Limits().linger_seconds)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_peer_that_never_reads_is_given_up(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        return Response(200, b"x" * 10_000_000)

    async with (
        serving_tls(tmp_path, handler, limits=Limits(send_seconds=10)) as server,
        server.client() as client,
    ):
        await client.send(get())
        await trio.sleep(11)
        with suppress(trio.BrokenResourceError):
            assert len(await client.rest()) < 10_000_000


async def test_a_client_without_a_certificate_hears_that_one_is_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    context = pair().context(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pair("client").certificate.decode())
    known = pair("client").presenting(tmp_path / "client", pair())
    async with serving_tls(tmp_path, context=context) as server:
        async with server.client(known) as client:
            assert (await client.ask(get())).status == 200
        with pytest.raises(trio.BrokenResourceError) as refused:
            async with server.client() as client:
                await client.ask(get())
        assert "CERTIFICATE_REQUIRED" in str(refused.value.__cause__)

    assert [record.message.split(":")[0] for record in caplog.records] == ["tls-handshake-failed"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_handler_sees_whose_certificate_was_verified(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    async def handler(request: Request) -> Response:
        return Response(200, str(request.peer.certified).encode())

    context = pair().context(tmp_path)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=pair("client").certificate.decode())
    known = pair("client").presenting(tmp_path / "client", pair())
    foreign = pair("foreign").presenting(tmp_path / "foreign", pair())
    for each in (known, foreign):
        each.minimum_version = each.maximum_version = version
    async with serving_tls(tmp_path, handler, context=context) as server:
        async with server.client(known) as client:
            assert (await client.ask(get())).body == b"True"
        async with server.client() as client:
            assert (await client.ask(get())).body == b"False"
        with pytest.raises(trio.BrokenResourceError):
            async with server.client(foreign) as client:
                await client.ask(get())


async def test_renegotiation_is_refused(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    async with serving_tls(tmp_path) as server:
        result = await trio.run_process(
            [openssl, "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"],
            stdin=b"R\n",
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        assert b"no renegotiation" in result.stderr
        async with server.client() as client:
            assert (await client.ask(get())).status == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_curl_speaks_http_1_with_it_and_keeps_the_connection(tmp_path: Path) -> None:
    async with serving_tls(tmp_path) as server:
        url = f"https://localhost:{server.port}"
        command = ["curl", "-sS", "--max-time", "20", "--cacert", str(tmp_path / "server.crt")]
        counts = ["-w", " %{num_connects} %{http_version};", f"{url}/a", f"{url}/b"]
        result = await trio.run_process([*command, *counts], capture_stdout=True)

    assert result.stdout == b"GET /a  1 1.1;GET /b  0 1.1;"
