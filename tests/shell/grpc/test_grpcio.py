"""Calls of grpc's own client, which shares nothing with this server but the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
import trio

from kong_mesh_cp.shell.grpc.calls import Call
from kong_mesh_cp.shell.grpc.metadata import binary_values
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import MESSAGE_BYTES_MAX
from support.daemons.tls_peers import pair
from support.http2.grpc_peers import serving_grpc
from support.suites.patience import HANG_SECONDS

T = TypeVar("T")
ECHO = "/test.Service/Echo"


async def by_grpcio(port: int, speak: Callable[[grpc.Channel], T]) -> T:
    """What `speak` gives, in a thread."""

    def run() -> T:
        credentials = grpc.ssl_channel_credentials(pair().certificate)
        with grpc.secure_channel(
            f"127.0.0.1:{port}",
            credentials,
            options=[
                ("grpc.ssl_target_name_override", "localhost"),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        ) as channel:
            return speak(channel)

    return await trio.to_thread.run_sync(run)


def streaming(channel: grpc.Channel, path: str = ECHO) -> Any:
    return channel.stream_stream(path, None, None)


async def test_a_stream_echoes_each_message(tmp_path: Path) -> None:
    sent = [b"%d" % each * each for each in range(0, 3000, 100)]

    def speak(channel: grpc.Channel) -> list[bytes]:
        return list(streaming(channel)(iter(sent), timeout=HANG_SECONDS))

    async with serving_grpc(tmp_path) as server:
        assert await by_grpcio(server.port, speak) == sent


async def test_the_longest_message_comes_and_goes_whole(tmp_path: Path) -> None:
    message = bytes(range(256)) * (MESSAGE_BYTES_MAX // 256)

    def speak(channel: grpc.Channel) -> list[bytes]:
        return list(streaming(channel)(iter([message] * 3), timeout=HANG_SECONDS))

    async with serving_grpc(tmp_path) as server:
        assert await by_grpcio(server.port, speak) == [message] * 3


async def test_a_longer_one_is_refused(tmp_path: Path) -> None:
    def speak(channel: grpc.Channel) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as caught:
            list(streaming(channel)(iter([bytes(MESSAGE_BYTES_MAX + 1)]), timeout=HANG_SECONDS))
        return caught.value

    async with serving_grpc(tmp_path) as server:
        error: Any = await by_grpcio(server.port, speak)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_refusal_comes_with_its_text_and_after_no_answer(tmp_path: Path) -> None:
    async def refuses(_: Call) -> None:
        raise GrpcError(Status.PERMISSION_DENIED, "nobody knows “you”\nhere")

    def speak(channel: grpc.Channel) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/s/m", None, None)(b"x", timeout=HANG_SECONDS)
        return caught.value

    async with serving_grpc(tmp_path, {"/s/m": refuses}) as server:
        error: Any = await by_grpcio(server.port, speak)

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "nobody knows “you”\nhere"


async def test_metadata_arrives_as_it_was_sent(tmp_path: Path) -> None:
    async def tells(call: Call) -> None:
        await call.receive()
        texts = ",".join(call.metadata["word"]).encode()
        await call.send(texts + b"|" + b"|".join(binary_values(call.metadata, "key-bin")))

    def speak(channel: grpc.Channel) -> bytes:
        metadata = (("word", "a"), ("key-bin", b"\0\xff"), ("word", "b"), ("key-bin", b"\1"))
        method = channel.unary_unary("/s/m", None, None)
        answer: bytes = method(b"x", metadata=metadata, timeout=HANG_SECONDS)
        return answer

    async with serving_grpc(tmp_path, {"/s/m": tells}) as server:
        assert await by_grpcio(server.port, speak) == b"a,b|\0\xff|\1"


async def test_a_cancelled_call_cancels_its_method(tmp_path: Path) -> None:
    cancelled = trio.Event()

    async def waits(call: Call) -> None:
        try:
            await call.send(b"ready")
            await trio.sleep_forever()
        finally:
            cancelled.set()

    def speak(channel: grpc.Channel) -> None:
        call = streaming(channel, "/s/m")(iter([b"x"]), timeout=HANG_SECONDS)
        assert next(call) == b"ready"
        call.cancel()

    async with serving_grpc(tmp_path, {"/s/m": waits}) as server:
        await by_grpcio(server.port, speak)
        await cancelled.wait()


async def test_many_calls_share_a_connection(tmp_path: Path) -> None:
    def speak(channel: grpc.Channel) -> set[bytes]:
        method = channel.unary_unary(ECHO, None, None)
        calls = [method.future(b"%d" % each, timeout=HANG_SECONDS) for each in range(300)]
        return {each.result() for each in calls}

    async with serving_grpc(tmp_path) as server:
        assert await by_grpcio(server.port, speak) == {b"%d" % each for each in range(300)}


async def test_a_drain_ends_a_stream_so_that_its_client_looks_elsewhere(tmp_path: Path) -> None:
    begun = trio.Event()

    async def waits(call: Call) -> None:
        await call.send(b"ready")
        begun.set()
        await trio.sleep_forever()

    def speak(channel: grpc.Channel) -> grpc.RpcError:
        def nothing() -> Iterator[bytes]:
            yield b"x"

        call = streaming(channel, "/s/m")(nothing(), timeout=HANG_SECONDS)
        assert next(call) == b"ready"
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        return caught.value

    errors: list[Any] = []
    methods = {"/s/m": waits}
    async with serving_grpc(tmp_path, methods) as server, trio.open_nursery() as nursery:

        async def client() -> None:
            errors.append(await by_grpcio(server.port, speak))

        nursery.start_soon(client)
        await begun.wait()
        server.drain.start()

    assert errors[0].code() is grpc.StatusCode.UNAVAILABLE
