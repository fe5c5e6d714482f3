"""What is known of one mesh: of one revision, never older than the question, and bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following import mesh_context
from kong_mesh_cp.usecases.following.mesh_context import (
    ITEM_TEXT_BYTES,
    KEPT_TEXT_BYTES_MAX,
    MeshContext,
)
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Delete
from support.fakes.fake_resources import CountedLists, FakeResourceStore
from support.fakes.resources import mesh, policy, put, spec, whole_mesh

TIMEOUT, OTHER = "MeshTimeout", "MeshRetry"
TYPES = ("Mesh", TIMEOUT, OTHER)
BROKEN = StateError("the disk is gone", code="state-io", hint="Look for it.")


@asynccontextmanager
async def followed(store: FakeResourceStore) -> AsyncIterator[Replica]:
    replica = Replica(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        await wait_all_tasks_blocked()
        yield replica
        nursery.cancel_scope.cancel()


def names(context: MeshContext, type_name: str = TIMEOUT) -> list[str]:
    return [each.key.name for each in context.of_type(type_name)]


def other(name: str, mesh_name: str = "m") -> ResourceKey:
    return ResourceKey(OTHER, mesh_name, name)


async def test_it_has_the_resources_of_its_mesh_by_type_at_one_revision() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("m")), put(mesh("mm")), put(policy("b", "m")), put(other("x"))])
    await store.apply([put(policy("a", "m")), put(policy("c", "mm"))])

    context = await Replica(store).context("m", TYPES)

    assert (context.mesh, context.revision) == ("m", 6)
    assert names(context) == ["a", "b"]
    assert names(context, OTHER) == ["x"]
    assert context.mesh_resource == await store.get(mesh("m"))


async def test_a_mesh_that_is_not_there_has_nothing() -> None:
    context = await Replica(FakeResourceStore()).context("m", TYPES)
    assert context.mesh_resource is None
    assert names(context) == []


async def test_what_did_not_change_is_not_read_again() -> None:
    store = CountedLists()
    await store.apply([put(mesh("m")), put(policy("a", "m")), put(other("x"))])
    async with followed(store) as replica:
        first = await replica.context("m", TYPES)
        await store.apply([put(mesh("n")), put(policy("a", "n")), put(mesh("m2"))])
        await wait_all_tasks_blocked()
        store.listed.clear()

        second = await replica.context("m", TYPES)
        assert store.listed == []
        assert second.of_type(TIMEOUT) is first.of_type(TIMEOUT)
        assert (first.revision, second.revision) == (3, 6)

        await store.apply([put(policy("b", "m"))])
        await wait_all_tasks_blocked()
        third = await replica.context("m", TYPES)
        assert store.listed == [TIMEOUT]
        assert names(third) == ["a", "b"]
        assert third.of_type(OTHER) is first.of_type(OTHER)


async def test_a_change_shows_before_the_feed_reports_it() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("m"))])
    async with followed(store) as replica:
        for number in range(20):
            await replica.context("m", TYPES)
            await store.apply([put(policy(f"{number:02}", "m")), put(other("x"))])
            context = await replica.context("m", TYPES)
            assert len(names(context)) == number + 1
            assert context.revision == await store.revision()


@dataclass
class _ChangesWhileAsked(FakeResourceStore):
    """When its revision is asked, something is written just after that."""

    writes: int = 0

    async def revision(self) -> int:
        found = await super().revision()
        if self.writes:
            self.writes -= 1
            await self.apply([put(policy("late", "m")), put(other("late"))])
        return found


async def test_types_that_are_read_at_different_times_are_of_one_revision() -> None:
    store = _ChangesWhileAsked()
    await store.apply([put(mesh("m")), put(policy("a", "m")), put(other("a"))])
    async with followed(store) as replica:
        await replica.context("m", ("Mesh", TIMEOUT))
        store.writes = 1
        context = await replica.context("m", TYPES)

        assert names(context) == names(context, OTHER) == ["a", "late"]
        assert context.revision == 5


async def test_a_change_reported_late_together_with_a_later_one_is_not_overlooked() -> None:
    """The feed tells the last change of a resource only, so what is told may be newer than a
    change that is still to come.
    """
    store = FakeResourceStore()
    await store.apply([put(mesh("m")), put(policy("a", "m"), spec(n=0))])
    async with followed(store) as replica:
        for number in range(1, 10):
            await replica.context("m", TYPES)
            await store.apply([put(policy("a", "m"), spec(n=number)), put(mesh("other"))])
            await trio.lowlevel.checkpoint()
            await store.apply([put(mesh("other")), put(policy("a", "m"), spec(n=-number))])
            context = await replica.context("m", TYPES)
            assert [each.spec for each in context.of_type(TIMEOUT)] == [spec(n=-number)]


async def test_what_follows_from_some_types_is_kept_until_one_of_them_changes() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("m")), put(policy("a", "m")), put(other("x"))])
    async with followed(store) as replica:
        context = await replica.context("m", TYPES)
        assert context.derived("view", (TIMEOUT,)) is None
        context.keep("view", (TIMEOUT,), "of timeouts")
        context.keep("both", (TIMEOUT, OTHER), "of both")

        await store.apply([put(other("y"))])
        await wait_all_tasks_blocked()
        context = await replica.context("m", TYPES)
        assert context.derived("view", (TIMEOUT,)) == "of timeouts"
        assert context.derived("both", (TIMEOUT, OTHER)) is None
        assert context.derived("view", (OTHER,)) is None

        await store.apply([Delete(key=policy("a", "m"))])
        await wait_all_tasks_blocked()
        context = await replica.context("m", TYPES)
        assert context.derived("view", (TIMEOUT,)) is None


async def test_a_mesh_that_was_deleted_and_made_anew_is_another_one() -> None:
    store = FakeResourceStore()
    await store.apply(whole_mesh("m"))
    async with followed(store) as replica:
        context = await replica.context("m", TYPES)
        context.keep("view", TYPES, "old")
        await store.apply([Delete(key=mesh("m")), put(mesh("m"))])
        await wait_all_tasks_blocked()

        context = await replica.context("m", TYPES)
        assert names(context) == []
        assert context.derived("view", TYPES) is None


async def test_nothing_is_kept_while_changes_are_not_reported() -> None:
    store = CountedLists()
    await store.apply([put(mesh("m"))])
    replica = Replica(store)
    for _ in range(2):
        context = await replica.context("m", TYPES)
        context.keep("view", TYPES, "made")
        assert not context.is_kept(TYPES)
    assert store.listed == [*TYPES, *TYPES]


async def test_a_store_that_fails_is_an_error_and_nothing_else() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("m"))])
    async with followed(store) as replica:
        await replica.context("m", TYPES)
        store.failure = BROKEN
        with pytest.raises(StateError, match="the disk is gone"):
            await replica.context("m", TYPES)
        store.failure = None
        assert (await replica.context("m", TYPES)).revision == 1


async def test_no_more_text_is_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mesh_context, "KEPT_TEXT_BYTES_MAX", 6000)
    text = spec(a=400 * "x")
    store = FakeResourceStore()
    for name in "abc":
        await store.apply([put(mesh(name), text), put(policy("p", name), "{}")])
    await store.apply([put(mesh("large"), text), put(policy("p", "large"), spec(a=6000 * "x"))])
    async with followed(store) as replica:
        a, b = [await replica.context(name, ("Mesh", TIMEOUT)) for name in "ab"]
        assert a.is_kept(("Mesh", TIMEOUT))
        assert b.is_kept(("Mesh", TIMEOUT))
        again = await replica.context("a", ("Mesh", TIMEOUT))
        assert again.of_type("Mesh") is a.of_type("Mesh")

        c = await replica.context("c", ("Mesh", TIMEOUT))
        assert c.is_kept(("Mesh", TIMEOUT))
        again, b_again = [await replica.context(name, ("Mesh", TIMEOUT)) for name in "ab"]
        assert again.of_type("Mesh") is a.of_type("Mesh")  # used after b, which gave way
        assert b_again.of_type("Mesh") is not b.of_type("Mesh")

        large = await replica.context("large", ("Mesh", TIMEOUT))
        assert len(large.of_type(TIMEOUT)) == 1
        assert large.is_kept(("Mesh",))
        assert not large.is_kept((TIMEOUT,))


def test_a_mesh_of_two_thousand_policies_has_room() -> None:
    assert KEPT_TEXT_BYTES_MAX >= 2000 * (ITEM_TEXT_BYTES + 1024)
