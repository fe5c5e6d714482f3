"""Peers that mean harm: they are cut, others go on, and nothing is logged for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import hpack
import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.grpc.calls import Call
from kong_mesh_cp.shell.http.h2.bounds import (
    CONNECTION_WINDOW_BYTES,
    SEND_AHEAD_BYTES,
    STREAM_WINDOW_BYTES,
    UNCOUNTED_BYTES,
)
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.tls_peers import ServedTls
from support.http2.grpc_peers import PREFACE, Http2Client, http2_client, serving_grpc
from support.http2.raw_frames import (
    ACK,
    CALL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    POST,
    PRIORITY,
    RST_STREAM,
    data,
    error_code,
    frame,
    headers,
    ping,
    raw_http2,
    reset,
    settings,
    window_update,
)

ECHO = "/test.Service/Echo"
LONG = 20_000  # more than any allowance


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not caplog.records


async def works(client: Http2Client, call: int) -> None:
    """A call that was there before goes on."""
    await client.say(call, b"still here")
    assert await client.message(call) == b"still here"


OPEN = headers(1, CALL, ends=False)
FLOODS: dict[str, Callable[[int], bytes]] = {
    "streams opened and reset": lambda at: (
        headers(2 * at + 1, CALL, ends=False) + reset(2 * at + 1)
    ),
    "streams beyond the bound": lambda at: headers(2 * at + 1, CALL, ends=False),
    "streams broken on purpose": lambda at: (
        headers(2 * at + 1, CALL, ends=False) + window_update(2 * at + 1, 2**31 - 1)
    ),
    "PING": lambda _: ping(),
    "answers to PING": lambda _: ping(flags=ACK),
    "SETTINGS": lambda _: settings((4, 65_535)),
    "empty DATA": lambda at: (b"" if at else OPEN) + data(1, b""),
    "DATA of padding": lambda at: (b"" if at else OPEN) + frame(DATA, PADDED, 1, b"\x02\0\0"),
    "PRIORITY": lambda _: frame(PRIORITY, 0, 1, bytes(5)),
    "WINDOW_UPDATE": lambda at: (b"" if at else OPEN) + window_update(1, 1),
    "unknown frames": lambda _: frame(0x20, 0, 0, b""),
    "CONTINUATION": lambda at: frame(CONTINUATION if at else HEADERS, 0, 1, b""),
    "a header block without an end": lambda at: frame(
        CONTINUATION if at else HEADERS, 0, 1, bytes(2000)
    ),
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_is_ended_and_others_go_on(tmp_path: Path, kind: str) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as other:
        call = await other.call()
        await works(other, call)
        async with raw_http2(server) as client, trio.open_nursery() as nursery:

            async def flood() -> None:
                for at in range(0, LONG, 20):
                    await client.say(*(FLOODS[kind](each) for each in range(at, at + 20)))
                    if client.ended:
                        return

            nursery.start_soon(flood)
            said = await client.until(GOAWAY)
            await client.rest()
            nursery.cancel_scope.cancel()
        await works(other, call)

    assert error_code(said) == ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    ("said", "code"),
    [
        # Its head alone: nothing of it must be waited for.
        (b"\xff\xff\xff" + bytes((DATA, 0)) + bytes(4), FRAME_SIZE_ERROR),
        (settings(*((each, 1) for each in range(100, 200))), ENHANCE_YOUR_CALM),
        (
            # HPACK: a long field in the table, and a thousand references to it.
            frame(
                HEADERS,
                END_HEADERS,
                1,
                hpack.Encoder().encode(POST)
                + b"\x40\x01x\x7f\xa1\x1e"
                + b"y" * 4000
                + b"\xbe" * 1000,
            ),
            ENHANCE_YOUR_CALM,
        ),
        (headers(1, (*POST, ("x", "y" * 16_300))), ENHANCE_YOUR_CALM),
    ],
    ids=["a frame of 16 MiB", "a hundred settings", "a bomb of HPACK", "a long header"],
)
async def test_what_would_cost_much_is_ended_at_once(
    tmp_path: Path, said: bytes, code: int
) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(said)
        assert error_code(await client.until(GOAWAY)) == code
        await client.rest()


async def test_a_method_that_does_not_read_holds_up_no_other_call(tmp_path: Path) -> None:
    async def deaf(call: Call) -> None:
        await call.receive()
        await trio.sleep_forever()

    async def echoes(call: Call) -> None:
        while (message := await call.receive()) is not None:
            await call.send(message)

    methods = {"/s/deaf": deaf, ECHO: echoes}
    async with serving_grpc(tmp_path, methods) as server, http2_client(server) as client:
        # Together more than the window of the connection.
        for _ in range(2 * CONNECTION_WINDOW_BYTES // STREAM_WINDOW_BYTES):
            call = await client.call("/s/deaf")
            await client.say(call, b"x")
            while window := client.machine.local_flow_control_window(call):
                client.machine.send_data(call, bytes(min(window, 16_384)))
                await client.flush()
                if window < 16_384:
                    break
                await trio.lowlevel.checkpoint()
            if client.machine.outbound_flow_control_window < STREAM_WINDOW_BYTES:
                await client.read()
        await client.ping()
        await works(client, await client.call())


async def test_the_stream_of_a_method_that_does_not_read_has_no_more_window(
    tmp_path: Path,
) -> None:
    async def deaf(call: Call) -> None:
        await call.receive()
        await trio.sleep_forever()

    async with serving_grpc(tmp_path, {ECHO: deaf}) as server, http2_client(server) as client:
        call = await client.call()
        await client.say(call, b"x")
        for _ in range(4):
            window = client.machine.local_flow_control_window(call)
            client.machine.send_data(call, bytes(min(window, 16_384)))
            await client.flush()
        await client.ping()
        assert client.machine.local_flow_control_window(call) < STREAM_WINDOW_BYTES // 2


async def test_a_peer_without_a_window_blocks_only_its_sender(tmp_path: Path) -> None:
    sent = []

    async def talks(call: Call) -> None:
        await call.receive()
        while True:
            await call.send(bytes(10_000))
            sent.append(True)

    async def echoes(call: Call) -> None:
        while (message := await call.receive()) is not None:
            await call.send(message)

    methods = {"/s/talks": talks, ECHO: echoes}
    async with (
        serving_grpc(tmp_path, methods) as server,
        http2_client(server, reads=False) as client,
    ):
        client.machine.increment_flow_control_window(2**30)
        stuck = await client.call("/s/talks")
        await client.say(stuck, b"x")
        for _ in range(3):
            await client.ping()
        await works(client, await client.call())

        assert len(sent) * 10_000 <= STREAM_WINDOW_BYTES + SEND_AHEAD_BYTES + 10_000
        before = len(sent)
        client.machine.increment_flow_control_window(50_000, stuck)
        while len(sent) == before:
            await client.ping()


async def _unread(server: ServedTls, budgets: Budgets, calls: int) -> None:
    """A client that fills the windows of many calls whose methods do not read."""
    async with raw_http2(server) as client:
        piece = b"".join(
            data(1 + 2 * each, bytes(16_000)) for each in range(calls) for _ in range(4)
        )
        await client.say(
            *(headers(1 + 2 * each, CALL, ends=False) for each in range(calls)),
            *(data(1 + 2 * each, b"\0\0\0\0\0") for each in range(calls)),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.say, piece)
            said = await client.until(GOAWAY)
            nursery.cancel_scope.cancel()
        assert error_code(said) == ENHANCE_YOUR_CALM
        await client.rest()
    assert budgets.bodies.held == 0


async def test_what_is_not_read_is_bounded_over_all_connections(tmp_path: Path) -> None:
    async def deaf(call: Call) -> None:
        await call.receive()
        await trio.sleep_forever()

    budgets = Budgets(bodies=1024 * 1024)
    async with serving_grpc(tmp_path, {ECHO: deaf}, budgets=budgets) as server:
        await _unread(server, budgets, 40)


async def test_half_messages_are_counted_as_well(tmp_path: Path) -> None:
    budgets = Budgets(bodies=1024 * 1024)
    async with (
        serving_grpc(tmp_path, budgets=budgets) as server,
        http2_client(server) as client,
    ):
        call = await client.call()
        message = b"\0" + (4 * 1024 * 1024).to_bytes(4, "big") + bytes(500_000)
        for at in range(0, len(message), 16_000):
            while client.machine.local_flow_control_window(call) < 16_000:
                await client.read()
            client.machine.send_data(call, message[at : at + 16_000])
            await client.flush()
        await client.ping()
        assert budgets.bodies.held >= len(message) - STREAM_WINDOW_BYTES
        client.machine.reset_stream(call)
        await client.flush()
        await client.ping()
        assert budgets.bodies.held == 0


async def test_what_peers_do_not_take_is_bounded_over_all_connections(tmp_path: Path) -> None:
    asked = trio.Event()

    async def handler(_: Request) -> Response:
        asked.set()
        return Response(200, bytes(8 * UNCOUNTED_BYTES))

    budgets = Budgets(answers=16 * UNCOUNTED_BYTES)
    async with (
        serving_grpc(tmp_path, handler=handler, budgets=budgets) as server,
        raw_http2(server) as first,
        raw_http2(server) as second,
        raw_http2(server) as third,
    ):
        for client in (first, second, third):
            await client.say(settings((4, 0)), headers(1))
            await client.until(HEADERS, stream_id=1) if client is not third else None
        await third.rest()
        assert budgets.answers.held <= 16 * UNCOUNTED_BYTES
        await first.say(settings((4, 2**20)), window_update(0, 2**20))
        while not (await first.until(DATA, stream_id=1)).flags & 1:
            pass
        await first.say(ping())
        await first.until(PING, flags=ACK)
        assert budgets.answers.held <= 8 * UNCOUNTED_BYTES


async def test_many_slow_handshakes_keep_nobody_out(tmp_path: Path) -> None:
    limits = Limits(handshakes_max=4, connections_max=64)
    async with serving_grpc(tmp_path, limits=limits) as server, trio.open_nursery() as nursery:

        async def dawdles() -> None:
            async with server.plain() as stream:
                await stream.send_all(b"\x16\x03\x01")
                with suppress(trio.BrokenResourceError):  # it had to make room
                    await stream.receive_some()

        for _ in range(40):
            nursery.start_soon(dawdles)
        await trio.testing.wait_all_tasks_blocked()
        async with http2_client(server) as client:
            await works(client, await client.call())
        nursery.cancel_scope.cancel()


async def test_idle_connections_give_way_to_newcomers(tmp_path: Path) -> None:
    limits = Limits(connections_max=8, reserved_connections=0)
    async with serving_grpc(tmp_path, limits=limits) as server, http2_client(server) as busy:
        call = await busy.call()
        await works(busy, call)
        async with trio.open_nursery() as nursery:

            async def idles() -> None:
                async with raw_http2(server) as client:
                    await client.rest()

            for _ in range(30):
                nursery.start_soon(idles)
                await trio.testing.wait_all_tasks_blocked()
            async with http2_client(server) as newcomer:
                await works(newcomer, await newcomer.call())
            await works(busy, call)
            nursery.cancel_scope.cancel()


async def test_calls_are_not_cut_for_newcomers_who_hear_why(tmp_path: Path) -> None:
    limits = Limits(connections_max=2, reserved_connections=0)
    async with (
        serving_grpc(tmp_path, limits=limits) as server,
        http2_client(server) as first,
        http2_client(server) as second,
    ):
        calls = [(each, await each.call()) for each in (first, second)]
        for client, call in calls:
            await works(client, call)
        async with http2_client(server) as third:
            answer = await third.answer(await third.call())
        for client, call in calls:
            await works(client, call)

    assert (answer.status, answer.body) == (503, b"busy")


async def test_frames_in_single_bytes_are_frames(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server, opened=False) as client:
        for byte in PREFACE + settings() + OPEN + data(1, b"\0\0\0\0\1x", ends=True):
            await client.say(bytes((byte,)))
        assert (await client.until(DATA, stream_id=1)).payload == b"\0\0\0\0\1x"
        assert not [each for each in client.seen if each.kind in {GOAWAY, RST_STREAM}]


async def test_a_proxy_is_not_cut_for_what_it_was_sent_in_a_crowd(tmp_path: Path) -> None:
    """Cut, it would come back and be sent the same again, with all the others."""
    message = bytes(8 * UNCOUNTED_BYTES)

    async def configures(call: Call) -> None:
        await call.receive()
        await call.send(message)
        await trio.sleep_forever()

    budgets = Budgets(answers=8 * UNCOUNTED_BYTES)
    async with serving_grpc(tmp_path, {ECHO: configures}, budgets=budgets) as server:
        async with AsyncExitStack() as stack:
            calls = []
            for _ in range(4):
                client = await stack.enter_async_context(http2_client(server))
                call = await client.call()
                await client.say(call, b"x")
                calls.append((client, call))
            for client, call in calls:
                assert await client.message(call) == message
        assert budgets.answers.held <= 8 * UNCOUNTED_BYTES
