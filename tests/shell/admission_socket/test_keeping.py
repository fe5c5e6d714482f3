"""An admission socket that is taken away is made anew, unless something else is in its place."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.shell.admission_socket.keeping import LOOK_SECONDS, KeptSocket
from kong_mesh_cp.shell.admission_socket.listener import bound, group_of_clients

pytestmark = pytest.mark.usefixtures("autojump_clock")


@asynccontextmanager
async def kept(path: Path) -> AsyncIterator[tuple[KeptSocket, list[socket.socket]]]:
    served: list[socket.socket] = []

    async def serve(listener: socket.socket) -> None:
        served.append(listener)

    with bound(path):
        keeper = KeptSocket(os.fspath(path), serve)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            yield keeper, served
            nursery.cancel_scope.cancel()


def code(keeper: KeptSocket) -> str:
    return "" if keeper.failure is None else keeper.failure.code


def replaced(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))


TAKEN: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "moved": lambda path: path.rename(path.with_name("elsewhere")),
    "replaced by one that nobody serves": replaced,
    "closed": lambda path: path.chmod(0),
    "gone with its folder": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
}


@pytest.mark.parametrize("take", TAKEN.values(), ids=TAKEN)
async def test_a_socket_that_was_taken_away_is_made_anew_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, take: Callable[[Path], object]
) -> None:
    path = tmp_path / "run" / "a.sock"
    async with kept(path) as (keeper, served):
        mode = path.stat().st_mode
        for number in (1, 2):
            take(path)
            await trio.sleep(2 * LOOK_SECONDS)
            assert len(served) == number
            assert path.stat().st_mode == mode
            assert keeper.failure is None
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.fspath(path))
            if (tmp_path / "elsewhere").exists():
                (tmp_path / "elsewhere").rename(tmp_path / f"before-{number}")
    assert not path.exists(), "what was made is taken away at the end"
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "admission-socket-made-again"
    ] * 2


async def test_something_else_in_its_place_is_told_once_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.sock"
    async with kept(path) as (keeper, served):
        path.unlink()
        path.write_text("mine")
        await trio.sleep(5 * LOOK_SECONDS)
        assert code(keeper) == "socket-path-taken"
        assert path.read_text() == "mine"
        assert caplog.text.count("admission-socket-gone: ") == 1
        path.unlink()
        await trio.sleep(2 * LOOK_SECONDS)
        assert code(keeper) == ""
        assert len(served) == 1


@pytest.mark.parametrize("left", ["nothing", "a dead socket"])
async def test_a_socket_that_had_lost_its_file_before_the_start_is_made_at_once(
    tmp_path: Path, left: str
) -> None:
    """As systemd hands it over to a daemon that comes back."""
    path, served = tmp_path / "a.sock", list[socket.socket]()

    async def serve(listener: socket.socket) -> None:
        served.append(listener)

    with bound(path) as handed_over:
        path.unlink()
        if left != "nothing":
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(os.fspath(path))
                if left != "a dead socket":
                    dead.listen()
        keeper = KeptSocket(str(handed_over.getsockname()).removesuffix(".new"), serve)
        with trio.move_on_after(LOOK_SECONDS / 2):
            await keeper.run()
        assert len(served) == 1
        assert keeper.failure is None
    assert not path.exists()


async def test_a_socket_that_cannot_be_given_to_its_group_is_not_made(tmp_path: Path) -> None:
    async def serve(_: socket.socket) -> None:
        raise AssertionError("nobody could open it who should")

    path = tmp_path / "a.sock"
    with bound(path):
        if group_of_clients() is None:
            path.chmod(0o666)
        else:
            os.chown(path, -1, 54321)
        keeper = KeptSocket(os.fspath(path), serve)
        path.unlink()
        with trio.move_on_after(LOOK_SECONDS / 2):
            await keeper.run()
    assert code(keeper) == "socket-unusable"
    assert not path.exists()


async def test_a_socket_without_a_file_cannot_be_taken_away(tmp_path: Path) -> None:
    async def serve(_: socket.socket) -> None:
        raise AssertionError("there is nothing to make")

    for name in ("\0abstract", ""):
        keeper = KeptSocket(name, serve)
        with trio.move_on_after(5 * LOOK_SECONDS):
            await keeper.run()
        assert keeper.failure is None
    assert list(tmp_path.iterdir()) == []
