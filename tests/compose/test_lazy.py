"""What is made for the first who asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio

from kong_mesh_cp.compose.lazy import lazy


async def test_it_is_made_once_in_a_thread_however_many_ask_at_once() -> None:
    made_in: list[threading.Thread] = []
    given: list[object] = []

    def make() -> object:
        made_in.append(threading.current_thread())
        return object()

    get = lazy(make)

    async def ask() -> None:
        given.append(await get())

    assert made_in == []
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
    assert len(made_in) == 1
    assert made_in[0] is not threading.current_thread()
    assert given == [await get()] * 3


async def test_what_could_not_be_made_is_tried_again() -> None:
    outcomes: Iterator[OSError | str] = iter([OSError("no memory"), "made"])

    def make() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    get = lazy(make)
    with pytest.raises(OSError, match="no memory"):
        await get()
    assert await get() == "made"
