"""Messages from a seed, some of them broken: the server serves, or refuses, and forgets.

`KMESH_TEST_FUZZED_MESSAGES=100000 pytest …` for a long run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.listening.budget import Budgets
from support.http2.fuzzed_frames import Fuzzer
from support.http2.grpc_peers import http2_client, serving_grpc
from support.http2.raw_frames import RawHttp2, raw_http2

MESSAGES = int(os.environ.get("KMESH_TEST_FUZZED_MESSAGES", "2000"))
SEED = int(os.environ.get("KMESH_TEST_SEED", "9113"))
A_CONNECTION = 60  # messages, if it lives that long
AT_ONCE = 6  # said before the answers are looked at


async def fuzz(client: RawHttp2, fuzzer: Fuzzer) -> int:
    """Say what the fuzzer says for as long as the server listens; how many messages."""
    said = 0
    messages = fuzzer.messages()
    async with trio.open_nursery() as nursery:

        async def hears() -> None:
            await client.rest()
            nursery.cancel_scope.cancel()

        nursery.start_soon(hears)
        while said < A_CONNECTION:
            await client.say(*(next(messages) for _ in range(AT_ONCE)))
            said += AT_ONCE
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    return said


async def test_no_message_harms_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fuzzer, said, budgets = Fuzzer(SEED), 0, Budgets()
    async with serving_grpc(tmp_path, budgets=budgets) as server, http2_client(server) as other:
        call = await other.call()
        while said < MESSAGES:
            async with raw_http2(server) as client:
                said += await fuzz(client, fuzzer)
            await other.say(call, b"still here")
            assert await other.message(call) == b"still here"
            assert not caplog.records, f"after {said} messages of seed {SEED}"
        with trio.fail_after(60):
            while len(server.conversations.child_tasks) > 1:
                await trio.sleep(0.01)

    assert budgets.bodies.held == budgets.answers.held == 0


async def test_noise_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fuzzer = Fuzzer(SEED)
    messages = fuzzer.messages()
    async with serving_grpc(tmp_path) as server:
        for _ in range(20):
            async with raw_http2(server, opened=False) as client:
                noise = b"".join(next(messages) for _ in range(20))
                with suppress(trio.BrokenResourceError):
                    await client.say(noise[1:])
                await client.rest()

    assert not caplog.records
