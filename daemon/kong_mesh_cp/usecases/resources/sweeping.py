"""Iterates over all resources of a type in pages, and lets other tasks run in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource

PAGE_ITEMS: Final = 250  # read at once
KEYS_READ_AT_ONCE: Final = 50
SLICE_ITEMS: Final = 20  # looked at before others have their turn; a few milliseconds at most,
SLICE_SECONDS: Final = 0.005  # or fewer of them, where each takes its time
SLICE_BYTES: Final = 64 * 1024  # of text in one slice; more is read in a thread
ATTEMPTS_MAX: Final = 3  # to get through while resources come and go

T = TypeVar("T")
R = TypeVar("R")


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


async def read_keys(
    store: ResourceStore, keys: Sequence[ResourceKey]
) -> AsyncIterator[tuple[ResourceKey, StoredResource | None]]:
    """Each of `keys`, in their order, with what is stored there. Raises: StateError."""
    for start in range(0, len(keys), KEYS_READ_AT_ONCE):
        part = keys[start : start + KEYS_READ_AT_ONCE]
        found = await store.get_many(part)
        async for key in in_slices(part):
            yield key, found.get(key)


async def in_slices(items: Sequence[T]) -> AsyncIterator[T]:
    """Each of `items`, which are looked at for some 50 microseconds each; others have turns."""
    since = trio.current_time()
    for index, each in enumerate(items):
        if index % SLICE_ITEMS == 0 or trio.current_time() - since > SLICE_SECONDS:
            await trio.lowlevel.checkpoint()
            since = trio.current_time()
        yield each


async def slices(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """As `in_slices`, the items of one turn together: to await each of thousands takes longer than
    most of what is done with one.
    """
    for start in range(0, len(items), SLICE_ITEMS):
        await trio.lowlevel.checkpoint()
        yield items[start : start + SLICE_ITEMS]


async def read_slices(
    items: Sequence[StoredResource], read: Callable[[Sequence[StoredResource]], Sequence[R]]
) -> AsyncIterator[Sequence[R]]:
    """What `read` makes of `items`, slice by slice; of much text in a thread.

    Cancelled between two slices. The caller bounds how many do it at once.
    """
    async for part in slices(items):
        if sum(each.text_bytes for each in part) > SLICE_BYTES:
            yield await trio.to_thread.run_sync(partial(read, part))
        else:
            yield read(part)


async def read_in_slices(
    items: Sequence[StoredResource], read: Callable[[Sequence[StoredResource]], Sequence[R]]
) -> list[R]:
    """As `read_slices`, all together."""
    return [each async for part in read_slices(items, read) for each in part]
