"""Iterates over all resources of a type in pages, and lets other tasks run in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import trio

from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource

PAGE_ITEMS: Final = 250  # read at once
SLICE_ITEMS: Final = 20  # looked at before others have their turn; a few milliseconds at most
ATTEMPTS_MAX: Final = 3  # to get through while resources come and go

T = TypeVar("T")


async def sweep(store: ResourceStore, selection: Selection) -> AsyncIterator[StoredResource]:
    """Each resource of `selection` (its part of the list does not count), sorted as lists are.

    One that is there from beginning to end comes at least once; when resources that stand before
    it went meanwhile, all of them come again. What comes and goes meanwhile may be missed.
    Raises: StateError.
    """
    for _ in range(ATTEMPTS_MAX):
        moved = False
        last: StoredResource | None = None
        offset = 0
        while not moved:
            page = await store.list(replace(selection, offset=offset, limit=PAGE_ITEMS))
            items = page.items
            # Each page begins with the last one's end: where it does not, places have moved.
            if last is not None:
                moved = not items or items[0].key != last.key
                items = items[1:]
            if moved or not items:
                # A store leaves out what it cannot read, which may be all of a page.
                moved = moved or offset + PAGE_ITEMS < page.total
                break
            async for each in in_slices(items):
                yield each
            last = items[-1]
            offset += len(items) - (offset == 0)
            if offset + 1 >= page.total:
                return
        if not moved:
            return
    # They come and go all the time. Then all at once, which is of one moment.
    page = await store.list(replace(selection, offset=0, limit=None))
    async for each in in_slices(page.items):
        yield each


async def in_slices(items: Sequence[T]) -> AsyncIterator[T]:
    """Each of `items`, which are looked at for some 50 microseconds each; others have turns."""
    async for part in slices(items):
        for each in part:
            yield each


async def slices(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """As `in_slices`, the items of one turn together: to await each of thousands takes longer than
    most of what is done with one.
    """
    for start in range(0, len(items), SLICE_ITEMS):
        await trio.lowlevel.checkpoint()
        yield items[start : start + SLICE_ITEMS]
