"""Many connections at once: those that do nothing give way, those that work go on.

`KMESH_TEST_CONNECTIONS=4096 pytest …` for as many as that.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.listening.limits import Limits
from support.http2.grpc_peers import PREFACE, Http2Client, http2_client, serving_grpc
from support.http2.raw_frames import CALL, headers, ping, raw_http2, settings

CONNECTIONS = int(os.environ.get("KMESH_TEST_CONNECTIONS", "200"))
AT_ONCE = 32  # of their handshakes
SAID = (
    b"",
    PREFACE,
    PREFACE + settings(),
    PREFACE + settings() + ping(),
    PREFACE + settings() + headers(1, CALL, ends=False),
)


async def works(client: Http2Client, call: int) -> None:
    await client.say(call, b"still here")
    assert await client.message(call) == b"still here"


async def test_a_crowd_keeps_nobody_out_and_ends_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(connections_max=CONNECTIONS // 4, reserved_connections=0)
    turns = trio.CapacityLimiter(AT_ONCE)
    there = 0

    async with serving_grpc(tmp_path, limits=limits) as server, http2_client(server) as worker:
        call = await worker.call()
        await works(worker, call)

        async def crowds(number: int) -> None:
            nonlocal there
            await turns.acquire_on_behalf_of(number)
            with suppress(trio.BrokenResourceError):  # cut in the handshake, for others
                async with raw_http2(server, opened=False) as client:
                    await client.say(SAID[number % len(SAID)])
                    there += 1
                    turns.release_on_behalf_of(number)
                    number = -1
                    await client.rest()
            if number >= 0:
                turns.release_on_behalf_of(number)

        async with trio.open_nursery() as nursery:
            for number in range(CONNECTIONS):
                nursery.start_soon(crowds, number)
                if number % AT_ONCE == 0:
                    await works(worker, call)
            while turns.statistics().tasks_waiting or turns.borrowed_tokens:
                await works(worker, call)
            async with http2_client(server) as newcomer:
                await works(newcomer, await newcomer.call())
            assert len(server.conversations.child_tasks) <= limits.connections_max + AT_ONCE
            nursery.cancel_scope.cancel()
        await works(worker, call)

    assert there > CONNECTIONS // 2
    assert not caplog.records
