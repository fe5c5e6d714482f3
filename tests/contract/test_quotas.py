"""How much there may be: counted by every store as its transactions are made."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Excess, Quota, Share, size_of
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    Delete,
    Put,
    QuotaExceededError,
    ResourceStore,
    WouldFitError,
)
from support.fakes.resources import AT, ResourceOpening, mesh, policy, put

ROOM = 10**9


def sized(key: ResourceKey, size: int) -> Put:
    """A resource of so many bytes, which is not plain ASCII where that fits."""
    text = "é" * ((size - 2) // 2) + "x" * (size % 2)
    change = Put(key=key, spec=f'"{text}"', at=AT)
    assert size_of(change.spec, None, {}) == size
    return change


def bounded(change: Put, *, items: int = ROOM, size: int = ROOM) -> Put:
    return replace(change, quota=Quota(items=items, bytes=size))


async def excess(store: ResourceStore, *changes: Change) -> Excess:
    before = await store.revision()
    with pytest.raises(QuotaExceededError) as caught:
        await store.apply(changes)
    assert await store.revision() == before
    for change in changes:
        if isinstance(change, Put) and change.if_version == 0:
            assert await store.get(change.key) is None
    return caught.value.excess


async def test_bytes_are_counted_to_the_last_one(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([bounded(sized(policy("a"), 60), size=100)])
        await store.apply([bounded(sized(policy("b"), 40), size=100)])
        found = await excess(store, bounded(sized(policy("c"), 2), size=100))
        assert found == Excess(Share.OTHERS, "bytes", 102, 100)
        found = await excess(store, bounded(sized(policy("b"), 41), size=100))
        assert found == Excess(Share.OTHERS, "bytes", 101, 100)
        await store.apply([bounded(sized(policy("b"), 10), size=100)])
        await store.apply([bounded(sized(policy("c"), 30), size=100)])


async def test_status_and_labels_are_counted_too(opening: ResourceOpening) -> None:
    async with opening() as store:
        large = replace(sized(policy("a"), 10), status="é" * 5, labels={"k": "é" * 4, "l": ""})
        assert (await excess(store, bounded(large, size=29))).found == 30
        await store.apply([bounded(large, size=30)])
        assert (await excess(store, bounded(sized(policy("b"), 2), size=31))).found == 32


async def test_items_are_counted(opening: ResourceOpening) -> None:
    async with opening() as store:
        for name in ("a", "b"):
            await store.apply([bounded(put(policy(name)), items=2)])
        found = await excess(store, bounded(replace(put(policy("c")), if_version=0), items=2))
        assert found == Excess(Share.OTHERS, "items", 3, 2)
        await store.apply([bounded(put(policy("b")), items=2)])  # it is there already
        await store.apply([Delete(key=policy("a"))])
        await store.apply([bounded(put(policy("c")), items=2)])


async def test_users_without_a_quota_fill_the_store_for_those_with_one(
    opening: ResourceOpening,
) -> None:
    async with opening() as store:
        await store.apply([sized(policy("a"), 200)])
        assert (await excess(store, bounded(sized(policy("b"), 2), size=100))).found == 202
        # What is there may become smaller, or stay as it is.
        await store.apply([bounded(sized(policy("a"), 200), size=100)])
        await store.apply([bounded(sized(policy("a"), 150), size=100)])


async def test_what_goes_with_its_owner_makes_room(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(mesh("m"))])
        owned = [replace(sized(policy(name), 50), owner=mesh("m")) for name in ("a", "b")]
        await store.apply(owned)
        await excess(store, bounded(put(policy("c")), items=3))
        await store.apply([Delete(key=mesh("m"))])
        await store.apply([bounded(sized(policy("c"), 100), items=1, size=100)])


async def test_all_of_a_transaction_is_counted_together(opening: ResourceOpening) -> None:
    async with opening() as store:
        born = [put(policy(name)) for name in ("a", "b", "c")]
        assert (await excess(store, bounded(put(mesh("m")), items=3), *born)).found == 4
        assert await store.get(policy("a")) is None
        await store.apply([bounded(put(mesh("m")), items=4), *born])
        # What goes in the same transaction makes room for what comes.
        await store.apply([bounded(put(policy("d")), items=4), Delete(key=policy("a"))])


async def test_dataplanes_are_counted_apart_and_insights_not_at_all(
    opening: ResourceOpening,
) -> None:
    dataplane = ResourceKey("Dataplane", "m", "dp")
    async with opening() as store:
        await store.apply([sized(policy("a"), 500)])
        await store.apply([sized(ResourceKey("DataplaneInsight", "m", "dp"), 500)])
        await store.apply([sized(ResourceKey("AdmissionRegistration", "m", "dp"), 500)])
        await store.apply([bounded(sized(dataplane, 100), items=1, size=100)])
        other = dataplane._replace(name="other")
        assert (await excess(store, bounded(put(other), items=1))).share is Share.DATAPLANES
        await store.apply([bounded(sized(policy("b"), 10), items=2, size=510)])


async def test_of_many_at_once_as_many_get_in_as_there_is_room(opening: ResourceOpening) -> None:
    refused: list[str] = []

    async def write(store: ResourceStore, name: str) -> None:
        try:
            await store.apply([bounded(sized(policy(name), 10), items=20, size=100)])
        except QuotaExceededError:
            refused.append(name)

    async with opening() as store:
        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(write, store, f"p{number}")
        assert len(refused) == 20
        assert await store.revision() == 10


async def test_it_is_known_after_a_restart(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([sized(policy("a"), 100)])
        kept = await store.revision()
    async with opening() as store:
        if await store.revision() != kept:
            pytest.skip("this one lives in memory")
        assert (await excess(store, bounded(sized(policy("b"), 2), size=100))).found == 102


async def test_what_is_asks_only_is_refused_for_want_of_room_and_takes_none(
    opening: ResourceOpening,
) -> None:
    async with opening() as store:
        await store.apply([bounded(sized(policy("a"), 60), size=100)])
        revision = await store.revision()

        fits = replace(bounded(sized(policy("b"), 40), size=100), asks_only=True)
        with pytest.raises(WouldFitError):
            await store.apply([fits])
        found = await excess(
            store,
            replace(bounded(sized(policy("b"), 41), size=100), if_version=0, asks_only=True),
        )
        assert found == Excess(Share.OTHERS, "bytes", 101, 100)

        assert await store.revision() == revision
        assert await store.get(policy("b")) is None
        await store.apply([bounded(sized(policy("b"), 40), size=100)])


async def test_what_is_asks_only_leaves_others_of_its_transaction_as_they_are(
    opening: ResourceOpening,
) -> None:
    """Changes that come together are made together; one that is only judged must not show."""
    async with opening() as store:
        await store.apply([sized(policy("a"), 10)])

        async def judge() -> None:
            with pytest.raises(WouldFitError):
                await store.apply([replace(sized(policy("a"), 90), asks_only=True)])

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(store.apply, [sized(policy(f"b-{number}"), 9)])
                nursery.start_soon(judge)
        found = await excess(store, bounded(sized(policy("c"), 2), size=100))
        assert found == Excess(Share.OTHERS, "bytes", 102, 100)
        await store.apply([bounded(sized(policy("a"), 8), size=100)])
