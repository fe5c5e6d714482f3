"""What is sent goes out in turns, in whole frames, in few writes."""

from __future__ import annotations

from pathlib import Path

import trio

from kong_mesh_cp.shell.grpc.calls import Call
from support.http2.grpc_peers import http2_client, serving_grpc
from support.http2.raw_frames import CALL, DATA, headers, ping, raw_http2, settings, window_update


async def test_streams_take_turns(tmp_path: Path) -> None:
    async def talks(call: Call) -> None:
        await call.send(bytes(60_000))

    async with (
        serving_grpc(tmp_path, {"/test.Service/Echo": talks}) as server,
        raw_http2(server) as client,
    ):
        await client.say(settings((4, 0)), window_update(0, 2**20))
        await client.say(headers(1, CALL, ends=False), headers(3, CALL, ends=False), ping())
        await client.until(6, flags=1)
        await client.until(1, stream_id=3)
        await client.say(settings((4, 100_000)))
        order: list[int] = []
        while len(order) < 8:
            found = await client.until(DATA)
            order.append(found.stream_id)

    # Neither waits until the other has sent all.
    assert order[:4] != [order[0]] * 4


async def test_messages_sent_from_many_tasks_stay_whole(tmp_path: Path) -> None:

    async def talks(call: Call) -> None:
        async with trio.open_nursery() as nursery:
            for each in range(20):
                nursery.start_soon(call.send, bytes([each]) * 30_000)

    async with (
        serving_grpc(tmp_path, {"/test.Service/Echo": talks}) as server,
        http2_client(server) as client,
    ):
        answer = await client.answer(await client.call())

    assert sorted(answer.messages) == [bytes([each]) * 30_000 for each in range(20)]
