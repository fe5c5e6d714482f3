"""Pages that are read together: of one revision, whatever is written meanwhile."""

from __future__ import annotations

import json

import pytest
import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Page, ResourceStore, Selection
from support.fakes.resources import ResourceOpening, policy, put, spec

TYPES = ("A", "B", "C")
WRITERS = 3
ROUNDS = 25  # of each writer
REPEATED = 4  # times that each type is asked for at once: the longer it takes, the more is written

EACH = [Selection(type=type_, mesh="m") for type_ in TYPES]


def counters(page: Page) -> list[object]:
    return [json.loads(each.spec)["n"] for each in page.items]


async def test_each_selection_gets_its_page_in_the_order_they_are_asked_for(
    opening: ResourceOpening,
) -> None:
    async with opening() as store:
        await store.apply([put(ResourceKey(type_, "m", "x")) for type_ in TYPES])
        await store.apply([put(ResourceKey("A", "other", name)) for name in "yz"])

        pages = await store.list_together(
            [
                Selection(type="C", mesh="m"),
                Selection(type="A"),
                Selection(type="none"),
                Selection(type="A", name_contains="y"),
                Selection(type="A", offset=1, limit=1),
                Selection(type="C", mesh="m"),
            ]
        )

        assert [
            ([(one.key.mesh, one.key.name) for one in page.items], page.total) for page in pages
        ] == [
            ([("m", "x")], 1),
            ([("m", "x"), ("other", "y"), ("other", "z")], 3),
            ([], 0),
            ([("other", "y")], 1),
            ([("other", "y")], 3),
            ([("m", "x")], 1),
        ]
        assert {page.revision for page in pages} == {5}


async def test_a_page_is_the_same_alone_and_together(opening: ResourceOpening) -> None:
    document = '{"a":"' + 92 * "x" + '"}'
    selections = [
        Selection(type="MeshTimeout", bytes_max=250),
        Selection(type="MeshTimeout", labels={"team": "a"}),
        Selection(type="MeshTimeout", bytes_max=0, offset=1),
    ]
    async with opening() as store:
        await store.apply(
            [put(policy(name), document, labels={"team": name}) for name in "abc"]
            + [put(policy("d"), owner=policy("a"))]
        )

        together = await store.list_together(selections)
        assert list(together) == [await store.list(each) for each in selections]
        assert [[one.key.name for one in page.items] for page in together] == [
            ["a", "b"],
            ["a"],
            ["b"],
        ]


async def test_no_selection_is_no_page(opening: ResourceOpening) -> None:
    async with opening() as store:
        assert list(await store.list_together([])) == []


async def test_the_pages_show_a_change_that_has_returned(opening: ResourceOpening) -> None:
    async with opening() as store:
        for number in range(10):
            made = await store.apply([put(ResourceKey(t, "m", "x"), spec(n=number)) for t in TYPES])
            pages = await store.list_together(EACH)
            assert {page.revision for page in pages} == {made.revision}
            assert [counters(page) for page in pages] == [[number]] * len(TYPES)


@pytest.mark.parametrize("ascending", [True, False], ids=["in-their-order", "backwards"])
async def test_all_pages_are_of_one_revision_also_while_writers_write(
    opening: ResourceOpening, *, ascending: bool
) -> None:
    """Each transaction writes one number to all types and adds one resource of each, so pages of
    one moment have as many items, the same numbers, and the revision that follows from them.
    """

    writing = WRITERS

    async def write(store: ResourceStore, writer: int) -> None:
        nonlocal writing
        for number in range(ROUNDS):
            changes = [put(ResourceKey(t, "m", f"{writer}"), spec(n=number)) for t in TYPES]
            added = [put(ResourceKey(t, "m", f"{writer}-{number}"), spec(n=-1)) for t in TYPES]
            await store.apply(changes + added)
        writing -= 1

    async def look(store: ResourceStore) -> None:
        asked = (EACH if ascending else EACH[::-1]) * REPEATED
        last, done = 0, False
        while not done:
            done = not writing
            pages = await store.list_together(asked)
            first = pages[0]
            assert [counters(page) for page in pages] == [counters(first)] * len(asked)
            assert {page.revision for page in pages} == {first.revision}
            assert {page.total for page in pages} == {len(first.items)}
            written = sum(1 for each in counters(first) if each == -1)
            assert first.revision == written * 2 * len(TYPES)
            assert first.revision >= last
            last = first.revision
        assert last == WRITERS * ROUNDS * 2 * len(TYPES)

    async with opening() as store, trio.open_nursery() as nursery:
        for writer in range(WRITERS):
            nursery.start_soon(write, store, writer)
        nursery.start_soon(look, store)
