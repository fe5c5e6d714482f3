"""What is found wrong with the files of a control plane is said once, and so is its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.upkeep.own_files import LOOK_SECONDS, LOOK_SECONDS_MAX, OwnFiles

pytestmark = pytest.mark.usefixtures("autojump_clock")


class Looks:
    """What each look finds."""

    def __init__(self) -> None:
        self.finds: StateError | None = None
        self.hangs = False

    async def __call__(self) -> None:
        if self.hangs:
            await trio.sleep_forever()
        if self.finds is not None:
            raise self.finds


def gone(code: str = "store-gone") -> StateError:
    return StateError("/x is not there any more", code=code, hint="Move it back.")


@asynccontextmanager
async def watching(looks: Looks) -> AsyncIterator[OwnFiles]:
    files = OwnFiles(looks)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(files.run)
        yield files
        nursery.cancel_scope.cancel()


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message.split(":")[0] for record in caplog.records]


async def test_what_is_wrong_is_said_once_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks = Looks()
    async with watching(looks) as files:
        await trio.sleep(5 * LOOK_SECONDS)
        assert files.failure() is None
        looks.finds = gone()
        await trio.sleep(5 * LOOK_SECONDS)
        assert files.failure() is looks.finds
        assert codes(caplog) == ["store-gone"]
        assert "Move it back." in caplog.text
        looks.finds = None
        await trio.sleep(5 * LOOK_SECONDS)
        assert files.failure() is None
        assert codes(caplog) == ["store-gone", "state-whole-again"]


async def test_another_thing_that_is_wrong_is_said_as_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks = Looks()
    async with watching(looks):
        for code in ("store-gone", "state-lock-gone", "state-lock-gone"):
            looks.finds = gone(code)
            await trio.sleep(2 * LOOK_SECONDS)
    assert codes(caplog) == ["store-gone", "state-lock-gone"]


async def test_a_store_that_another_program_has_locked_is_not_gone() -> None:
    looks = Looks()
    looks.finds = gone("store-busy")
    async with watching(looks) as files:
        await trio.sleep(5 * LOOK_SECONDS)
        assert files.failure() is None


async def test_a_look_that_does_not_end_is_a_failure_until_one_does() -> None:
    looks = Looks()
    async with watching(looks) as files:
        looks.hangs = True
        await trio.sleep(2 * LOOK_SECONDS_MAX)
        failure = files.failure()
        assert failure is not None
        assert failure.code == "state-hangs"
        looks.hangs = False
        await trio.sleep(2 * LOOK_SECONDS_MAX)
        assert files.failure() is None
