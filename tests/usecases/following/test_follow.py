"""Following a store through its failures."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.following.follow import RETRY_SECONDS, follow
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange
from support.fakes.fake_resources import FakeResourceStore

BROKEN = StateError("the disk is gone", code="state-io", hint="Look for it.")


@pytest.mark.usefixtures("autojump_clock")
async def test_a_store_that_fails_for_long_is_logged_once_and_once_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    store = FakeResourceStore()
    reads = list[float]()

    async def read() -> None:
        await store.revision()
        reads.append(trio.current_time())

    async def take(_: ResourceChange) -> None:
        await trio.lowlevel.checkpoint()

    store.failure = BROKEN
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            partial(follow, store, read=read, take=take, failing="x-not-read", again="x-read-again")
        )
        await trio.sleep(60 * RETRY_SECONDS)
        assert [record.message for record in caplog.records] == [
            "x-not-read: the disk is gone; trying again. Look for it."
        ]
        assert not reads

        store.failure = None
        await trio.sleep(2 * RETRY_SECONDS)
        assert [record.message.partition(":")[0] for record in caplog.records] == [
            "x-not-read",
            "x-read-again",
        ]
        assert len(reads) == 1
        nursery.cancel_scope.cancel()
