"""Calls of our own client, at our own server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.shell.grpc.calls import Call
from kong_mesh_cp.shell.grpc.client import GrpcClient
from kong_mesh_cp.shell.grpc.dialing import Address, Trust, dial
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import CallTerms
from kong_mesh_cp.shell.http.h2.bounds import STREAMS_MAX
from kong_mesh_cp.shell.http.h2.client import ClientConnection, ServerGoneError
from support.http2.grpc_peers import METHODS, serving_grpc

ECHO = "/test.Service/Echo"
REFUSE = "/test.Service/Refuse"
TERMS = CallTerms(message_bytes_max=10 * 1024 * 1024, takes_gzip=True)
BLIND = Trust(is_blind=True)


async def refuse(call: Call) -> None:
    raise GrpcError(Status.NOT_FOUND, f"nothing for {call.metadata['client-id'][0]}: ä")


@asynccontextmanager
async def connected(folder: Path, *, secured: bool = True) -> AsyncIterator[GrpcClient]:
    methods = {**METHODS, REFUSE: refuse}
    async with serving_grpc(folder, methods, terms=TERMS, secured=secured) as served:
        scheme = "grpcs" if secured else "grpc"
        address = Address.parse(f"{scheme}://127.0.0.1:{served.port}")
        connection = ClientConnection(await dial(address, BLIND))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lost, connection)
            yield GrpcClient(connection, authority=address.authority, scheme="https", terms=TERMS)
            nursery.cancel_scope.cancel()


async def lost(connection: ClientConnection) -> None:
    with pytest.raises(ServerGoneError):
        await connection.run()


@pytest.mark.parametrize("secured", [True, False], ids=["TLS", "plain"])
async def test_messages_of_any_size_go_there_and_back(tmp_path: Path, *, secured: bool) -> None:
    messages = [b"", b"a", bytes(range(256)) * 40_000]
    async with connected(tmp_path, secured=secured) as client:
        call = client.call(ECHO, [], user_agent="test")
        for message in messages:
            await call.send(message)
            assert await call.receive() == message
        call.finish()
        assert await call.receive() is None


async def test_calls_of_one_connection_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        calls = [client.call(ECHO, [], user_agent="test") for _ in range(20)]
        for number, call in enumerate(calls):
            await call.send(b"%d" % number)
        for number, call in reversed([*enumerate(calls)]):
            assert await call.receive() == b"%d" % number


async def test_a_call_too_many_is_refused_and_ends_no_other(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        calls = [client.call(ECHO, [], user_agent="test") for _ in range(STREAMS_MAX)]
        await calls[0].send(b"a")
        assert await calls[0].receive() == b"a"  # by now the server has said how many it takes

        with pytest.raises(GrpcError, match="no room for one more") as caught:
            client.call(ECHO, [], user_agent="test")
        assert caught.value.status is Status.UNAVAILABLE
        await calls[1].send(b"b")
        assert await calls[1].receive() == b"b"


async def test_two_tasks_that_send_on_one_call_cut_no_message(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        call = client.call(ECHO, [], user_agent="test")
        sent = {bytes([number]) * 200_000 for number in range(8)}
        async with trio.open_nursery() as nursery:
            for message in sent:
                nursery.start_soon(call.send, message)
            assert {await call.receive() for _ in sent} == sent


async def test_a_refusal_has_its_status_and_text(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        call = client.call(REFUSE, [("client-id", "east")], user_agent="test")
        with pytest.raises(GrpcError) as caught:
            await call.receive()
        assert caught.value.status is Status.NOT_FOUND
        assert caught.value.message == "nothing for east: ä"


async def test_a_method_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        call = client.call("/test.Service/None", [], user_agent="test")
        with pytest.raises(GrpcError) as caught:
            await call.receive()
        assert caught.value.status is Status.UNIMPLEMENTED


async def test_a_server_that_goes_ends_all_calls(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, terms=TERMS) as served:
        address = Address.parse(f"grpcs://127.0.0.1:{served.port}")
        connection = ClientConnection(await dial(address, BLIND))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lost, connection)
            client = GrpcClient(connection, authority="a", scheme="https", terms=TERMS)
            call = client.call(ECHO, [], user_agent="test")
            await call.send(b"a")
            assert await call.receive() == b"a"
            served.conversations.cancel_scope.cancel()
            with pytest.raises(GrpcError) as caught:
                await call.receive()
            assert caught.value.status is Status.UNAVAILABLE
            with pytest.raises(GrpcError):
                client.call(ECHO, [], user_agent="test")


async def test_a_certificate_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, terms=TERMS) as served:
        address = Address.parse(f"grpcs://127.0.0.1:{served.port}")
        with pytest.raises(ServerGoneError, match="certificate"):
            await dial(address, Trust())


async def test_nobody_there_is_told() -> None:
    with pytest.raises(ServerGoneError, match=r"cannot be reached: .*Connection refused"):
        await dial(Address.parse("grpc://127.0.0.1:1"), BLIND)


async def test_a_host_that_cannot_exist_is_told_as_one_that_is_not_reached() -> None:
    with pytest.raises(ServerGoneError, match="cannot be reached"):
        await dial(Address.parse(f"grpc://{'ä' * 64}:1"), BLIND)


@pytest.mark.parametrize("text", ["", "a:1", "http://a:1", "grpc://a", "grpc://:1", "grpc://a:x"])
def test_an_address_names_a_host_and_a_port(text: str) -> None:
    with pytest.raises(ValueError, match="grpcs://HOST:PORT"):
        Address.parse(text)


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    address = Address.parse("grpcs://[::1]:5685")

    assert (address.host, address.authority) == ("::1", "[::1]:5685")
