"""The feed of a ResourceStore: who reads it learns of every change, or that some were missed."""

from __future__ import annotations

import pytest
import trio

from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    ChangeKind,
    Delete,
    ResourceChange,
    ResourceStore,
    Resync,
)
from support.fakes.resources import ResourceOpening, mesh, policy, put, take, take_from, whole_mesh


async def test_changes_come_in_order_as_they_were_answered(opening: ResourceOpening) -> None:
    async with opening() as store:
        with store.changes() as feed:
            one = await store.apply([put(policy("a")), put(policy("b"))])
            two = await store.apply([put(mesh("m"))])

            assert await take(feed, 3) == [*one.changes, *two.changes]


async def test_a_reader_that_waits_is_woken(opening: ResourceOpening) -> None:
    got: list[object] = []

    async def read(store: ResourceStore, *, task_status: trio.TaskStatus[None]) -> None:
        with store.changes() as feed:
            task_status.started()
            got.extend(await take(feed, 1))

    async with opening() as store:
        async with trio.open_nursery() as nursery:
            await nursery.start(read, store)
            made = await store.apply([put(policy("a"))])
        assert got == list(made.changes)


async def test_of_many_changes_of_a_resource_the_last_is_enough(opening: ResourceOpening) -> None:
    async with opening() as store:
        with store.changes() as feed:
            await store.apply([put(policy("a")), put(policy("b"))])
            await store.apply([put(policy("a"))])
            await store.apply([Delete(key=policy("a"))])
            await store.apply([put(policy("last"))])
            seen: list[ResourceChange] = []
            while not seen or seen[-1].key != policy("last"):
                (item,) = await take(feed, 1)
                assert isinstance(item, ResourceChange)
                seen.append(item)

        of_a = [item for item in seen if item.key == policy("a")]
        assert of_a[-1] == ResourceChange(policy("a"), ChangeKind.DELETED, 2, 4)
        assert ResourceChange(policy("b"), ChangeKind.CREATED, 1, 2) in seen
        revisions = [item.revision for item in seen]
        assert revisions == sorted(set(revisions))


async def test_what_a_cascade_takes_along_is_reported_as_well(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply(whole_mesh("m"))
        with store.changes() as feed:
            made = await store.apply([Delete(key=mesh("m"))])

            first, last = made.changes[0].revision, made.revision
            assert await take_from(feed, first, last) == list(made.changes)


async def test_a_refused_change_is_not_reported(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"))])
        with store.changes() as feed:
            with pytest.raises(AlreadyExistsError):
                await store.apply([put(policy("b")), put(policy("a"), if_version=0)])
            made = await store.apply([put(policy("c"))])

            assert await take_from(feed, 2, made.revision) == list(made.changes)


async def test_a_reported_change_can_be_read(opening: ResourceOpening) -> None:
    async def write(store: ResourceStore) -> None:
        for number in range(50):
            await store.apply([put(policy(f"{number}"))])

    async with opening() as store, trio.open_nursery() as nursery:
        with store.changes() as feed:
            nursery.start_soon(write, store)
            for _ in range(50):
                (item,) = await take(feed, 1)
                assert isinstance(item, ResourceChange)
                kept = await store.get(item.key)
                assert kept is not None
                assert kept.version >= item.version


async def test_a_change_whose_caller_was_cancelled_is_reported_when_it_is_made(
    opening: ResourceOpening,
) -> None:
    async with opening() as store:
        with store.changes() as feed:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.apply, [put(policy("a"))])
                    await trio.lowlevel.checkpoint()
                    scope.cancel()
            made = await store.apply([put(policy("last"))])
            expected = {"last"} if await store.get(policy("a")) is None else {"a", "last"}

            items = await take(feed, made.revision)
            assert {item.key.name for item in items if isinstance(item, ResourceChange)} == expected


async def test_a_reader_may_go_on_where_it_stopped(opening: ResourceOpening) -> None:
    async with opening() as store:
        with store.changes() as feed:
            (first, _) = (await store.apply([put(policy("a")), put(policy("b"))])).changes
            assert await take(feed, 1) == [first]
        made = await store.apply([put(policy("c"))])

        with store.changes(since=first.revision) as feed:
            items = await take(feed, 2)
            assert [item.revision for item in items] == [2, 3]
            assert items[-1] == made.changes[0]


async def test_a_reader_from_the_future_has_to_read_anew(opening: ResourceOpening) -> None:
    async with opening() as store:
        made = await store.apply([put(policy("a"))])
        with store.changes(since=1000) as feed:
            (item,) = await take(feed, 1)
            assert isinstance(item, Resync)
            assert item.revision <= made.revision


async def test_each_reader_gets_everything(opening: ResourceOpening) -> None:
    async with opening() as store:
        with store.changes() as one, store.changes() as two:
            made = await store.apply([put(policy("a")), put(policy("b"))])

            assert await take(one, 2) == await take(two, 2) == list(made.changes)
