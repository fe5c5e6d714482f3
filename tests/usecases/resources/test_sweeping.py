"""Going through a type in pages misses nothing that stays, whatever comes and goes meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio import run

from kong_mesh_cp.usecases.ports.resource_store import Delete, Page, Selection, StoredResource
from kong_mesh_cp.usecases.resources import sweeping
from kong_mesh_cp.usecases.resources.sweeping import (
    SLICE_BYTES,
    SLICE_ITEMS,
    SLICE_SECONDS,
    in_slices,
    read_in_slices,
    slices,
    sweep,
)
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import policy, put

PAGE_ITEMS = 4
POLICIES = Selection(type="MeshTimeout")


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "PAGE_ITEMS", PAGE_ITEMS)


class _Moving(FakeResourceStore):
    """Something is deleted or made before each page is read."""

    def __init__(self, moves: list[tuple[bool, int]]) -> None:
        super().__init__()
        self._moves = list(moves)
        self.quiet = True
        self.pages: list[int | None] = []

    async def list(self, selection: Selection) -> Page:
        if not self.quiet and self._moves:
            make, number = self._moves.pop(0)
            key = policy(f"{number:02}")
            if make:
                await self.apply([put(key)])
            elif key in self.resources:
                await self.apply([Delete(key=key)])
        self.pages.append(selection.limit)
        return await super().list(selection)


async def _filled(count: int, moves: list[tuple[bool, int]]) -> _Moving:
    store = _Moving(moves)
    # Odd ones are there from the beginning, so that others can be made between them.
    for each in range(count):
        await store.apply([put(policy(f"{2 * each + 1:02}"))])
    store.quiet = False
    return store


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 7, 8, 20])
async def test_each_comes_once_and_in_order_where_nothing_moves(count: int) -> None:
    store = await _filled(count, [])
    names = [stored.key.name async for stored in sweep(store, POLICIES)]
    assert names == [f"{2 * each + 1:02}" for each in range(count)]
    assert set(store.pages) == {PAGE_ITEMS}


async def test_a_list_that_never_stands_still_is_read_at_once() -> None:
    store = await _filled(20, [(False, 2 * each + 1) for each in range(20)])
    names = [stored.key.name async for stored in sweep(store, POLICIES)]
    assert names[-1] == "39"
    assert store.pages[-1] is None


@given(
    count=st.integers(0, 20),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=12),
)
def test_whatever_moves_what_stays_is_found(count: int, moves: list[tuple[bool, int]]) -> None:
    async def play() -> None:
        store = await _filled(count, moves)
        before = {key.name for key in store.resources}
        found = {stored.key.name async for stored in sweep(store, POLICIES)}
        touched = {f"{number:02}" for _, number in moves}
        assert before - touched <= found
        assert found <= before | touched

    run(play)


@pytest.mark.parametrize("count", [0, 1, SLICE_ITEMS, SLICE_ITEMS + 1, 3 * SLICE_ITEMS])
async def test_before_each_slice_others_have_their_turn(count: int) -> None:
    turns = 0
    parts: list[Sequence[int]] = []

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        async for part in slices(range(count)):
            assert turns >= len(parts)  # one for each slice before this one
            parts.append(part)
        nursery.cancel_scope.cancel()
    assert [each for part in parts for each in part] == [*range(count)]
    assert all(0 < len(part) <= SLICE_ITEMS for part in parts)


async def test_slices_of_much_text_are_read_in_a_thread_and_all_in_order() -> None:
    store = await _filled(3 * SLICE_ITEMS, [])
    page = await store.list(POLICIES)
    large = replace(page.items[SLICE_ITEMS], spec=json.dumps({"x": "y" * SLICE_BYTES}))
    items = [*page.items[:SLICE_ITEMS], large, *page.items[SLICE_ITEMS + 1 :]]
    threads: list[bool] = []

    def read(some: Sequence[StoredResource]) -> Sequence[str]:
        threads.append(threading.current_thread() is not threading.main_thread())
        return [each.key.name for each in some]

    assert await read_in_slices(items, read) == [each.key.name for each in items]
    assert threads == [False, True, False]


async def test_who_looks_at_slow_items_lets_others_have_turns_in_between() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        async for _ in in_slices(range(10)):
            begun = trio.current_time()
            while trio.current_time() < begun + 2 * SLICE_SECONDS:
                pass
        nursery.cancel_scope.cancel()

    assert turns >= 5
