"""What every ResourceStore keeps and refuses: the files, the memory, the server, the fake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Change,
    ChangeKind,
    ChangeRefusedError,
    Delete,
    NotFoundError,
    Put,
    ResourceStore,
    Selection,
    StoredResource,
    VersionConflictError,
)
from support.fakes.resources import (
    AT,
    LATER,
    ResourceOpening,
    mesh,
    names,
    policy,
    put,
    spec,
    whole_mesh,
)

GOOD_NAMES = ["a", "a-b.c", "ünïcode", "𝕏", "a'; DROP TABLE resource; --", "%_\\", "nul\0in", ""]


async def test_a_new_store_is_empty(opening: ResourceOpening) -> None:
    async with opening() as store:
        assert await store.revision() == 0
        assert await store.get(policy("a")) is None
        page = await store.list(Selection(type="MeshTimeout"))
        assert (page.items, page.total, page.revision) == ((), 0, 0)


async def test_what_was_put_comes_back_letter_for_letter(opening: ResourceOpening) -> None:
    document = '{ "b":1.0, "a":"\\u0000 \\ud83d é 𝕏", "b":[] }'
    async with opening() as store:
        await store.apply([put(mesh("default"))])
        await store.apply(
            [
                Put(
                    key=policy("a"),
                    spec=document,
                    status="{}",
                    labels={"kuma.io/mesh": "default", 'odd "key"\\.': "\0", "": ""},
                    owner=mesh("default"),
                    at=AT,
                )
            ]
        )

        assert await store.get(policy("a")) == StoredResource(
            key=policy("a"),
            version=1,
            spec=document,
            status="{}",
            labels={"kuma.io/mesh": "default", 'odd "key"\\.': "\0", "": ""},
            created_at=AT,
            modified_at=AT,
            owner=mesh("default"),
        )


async def test_a_change_replaces_all_but_the_time_of_creation(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(mesh("m")), put(policy("a"), labels={"x": "y"}, owner=mesh("m"))])
        await store.apply([put(policy("a"), spec(n=2), at=LATER)])

        assert await store.get(policy("a")) == StoredResource(
            key=policy("a"), version=2, spec=spec(n=2), created_at=AT, modified_at=LATER
        )


async def test_a_resource_may_come_with_its_past(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([replace(put(policy("a"), at=LATER), created_at=AT)])
        await store.apply([put(policy("a"), at=LATER)])

        kept = await store.get(policy("a"))
        assert kept is not None
        assert (kept.created_at, kept.modified_at, kept.version) == (AT, LATER, 2)


async def test_instants_are_kept_in_utc(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"), at=AT.astimezone(timezone(timedelta(hours=5))))])

        kept = await store.get(policy("a"))
        assert kept is not None
        assert kept.modified_at == AT
        assert kept.modified_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("name", GOOD_NAMES)
async def test_names_are_kept_as_they_are(opening: ResourceOpening, name: str) -> None:
    async with opening() as store:
        key = ResourceKey("T", name, name)
        await store.apply([put(key), put(policy("child"), owner=key)])

        assert list(await store.get_many([key])) == [key]
        page = await store.list(Selection(type="T", mesh=name, name_contains=name))
        assert [one.key for one in page.items] == [key]
        made = await store.apply([Delete(key=key)])
        assert [one.key for one in made.changes] == [key, policy("child")]


async def test_a_deleted_resource_is_gone_and_begins_anew(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"))])
        await store.apply([put(policy("a"))])
        await store.apply([Delete(key=policy("a"))])
        assert await store.get(policy("a")) is None
        await store.apply([put(policy("a"), if_version=0, at=LATER)])

        kept = await store.get(policy("a"))
        assert kept is not None
        assert (kept.version, kept.created_at) == (1, LATER)


async def test_only_those_that_exist_are_got(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy(f"{n:03}")) for n in range(0, 200, 2)])

        got = await store.get_many([policy(f"{n:03}") for n in range(200)])
        assert sorted(got) == [policy(f"{n:03}") for n in range(0, 200, 2)]
        assert all(resource.key == key for key, resource in got.items())
        assert await store.get_many([]) == {}


REFUSED: list[tuple[Change, ChangeRefusedError]] = [
    (put(policy("a"), if_version=0), AlreadyExistsError(policy("a"))),
    (put(policy("a"), if_version=1), VersionConflictError(policy("a"), expected=1, found=2)),
    (put(policy("a"), if_version=3), VersionConflictError(policy("a"), expected=3, found=2)),
    (put(policy("x"), if_version=1), VersionConflictError(policy("x"), expected=1, found=None)),
    (put(policy("x"), owner=mesh("gone")), NotFoundError(mesh("gone"))),
    (Delete(key=policy("x")), NotFoundError(policy("x"))),
    (
        Delete(key=policy("a"), if_version=1),
        VersionConflictError(policy("a"), expected=1, found=2),
    ),
    (
        Delete(key=policy("x"), if_version=1),
        VersionConflictError(policy("x"), expected=1, found=None),
    ),
]


@pytest.mark.parametrize(("change", "refusal"), REFUSED, ids=lambda value: type(value).__name__)
async def test_a_change_that_does_not_fit_is_refused_with_its_whole_transaction(
    opening: ResourceOpening, change: Change, refusal: ChangeRefusedError
) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"))])
        await store.apply([put(policy("a"))])

        with pytest.raises(type(refusal)) as refused:
            await store.apply([put(policy("before")), change, put(policy("after"))])

        assert vars(refused.value) == vars(refusal)
        assert str(refused.value) == str(refusal)
        assert await names(store) == ["a"]
        assert await store.revision() == 2
        # And nothing is left behind that the next one could stumble over.
        assert (await store.apply([put(policy("b"))])).revision == 3


@pytest.mark.parametrize("version", [None, 2])
async def test_the_right_version_or_none_at_all_is_accepted(
    opening: ResourceOpening, version: int | None
) -> None:
    async with opening() as store:
        await store.apply([put(policy("a")), put(policy("a")), put(policy("b"))])
        await store.apply([put(policy("a"), spec(n=1), if_version=version)])
        await store.apply([Delete(key=policy("a"), if_version=version and 3)])

        assert await names(store) == ["b"]


async def test_what_was_made_anew_is_not_what_was_read(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"))])
        read = await store.get(policy("a"))
        assert read is not None
        await store.apply([Delete(key=policy("a"))])
        await store.apply([put(policy("a"), at=LATER)])

        with pytest.raises(VersionConflictError) as refused:
            await store.apply([Delete.as_read(read)])

        assert (refused.value.expected, refused.value.found) == (1, None)
        again = await store.get(policy("a"))
        assert again is not None
        await store.apply([Delete.as_read(again)])
        assert await names(store) == []


async def test_changes_are_reported_in_order_with_their_revisions(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply([put(policy("a"))])
        made = await store.apply([put(policy("b")), put(policy("a")), Delete(key=policy("b"))])

        assert [(one.key.name, one.kind, one.version, one.revision) for one in made.changes] == [
            ("b", ChangeKind.CREATED, 1, 2),
            ("a", ChangeKind.UPDATED, 2, 3),
            ("b", ChangeKind.DELETED, 1, 4),
        ]
        assert made.revision == await store.revision() == 4


async def test_no_changes_are_no_change(opening: ResourceOpening) -> None:
    async with opening() as store:
        made = await store.apply([])

        assert (made.revision, made.changes) == (0, ())


async def test_one_transaction_may_change_a_resource_many_times(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply(
            [
                *(put(policy("a"), spec(n=n)) for n in range(5)),
                Delete(key=policy("a"), if_version=5),
                put(policy("a"), spec(n=9), if_version=0),
            ]
        )

        kept = await store.get(policy("a"))
        assert kept is not None
        assert (kept.version, kept.spec) == (1, spec(n=9))


async def test_with_its_owner_goes_all_that_it_owns(opening: ResourceOpening) -> None:
    dataplane, insight = ResourceKey("Dataplane", "m", "dp"), ResourceKey("Insight", "m", "dp")
    async with opening() as store:
        await store.apply([*whole_mesh("m"), *whole_mesh("other")])
        await store.apply([put(dataplane, owner=mesh("m")), put(insight, owner=dataplane)])
        before = await store.revision()
        made = await store.apply([Delete(key=mesh("m"))])

        gone = [one.key for one in made.changes]
        assert gone[0] == mesh("m")
        assert gone[-1] == insight
        assert sorted(gone[1:-1]) == gone[1:-1]
        assert len(gone) == 1 + 4 + 2
        assert all(one.kind is ChangeKind.DELETED for one in made.changes)
        assert made.revision == before + len(gone)
        assert not await store.get_many(gone)
        assert await names(store, "Mesh") == ["other"]
        assert len(await names(store)) == 3


async def test_owners_in_a_circle_go_together(opening: ResourceOpening) -> None:
    a, b, c = policy("a"), policy("b"), policy("c")
    async with opening() as store:
        await store.apply([put(a), put(b, owner=a), put(c, owner=c), put(a, owner=b)])
        await store.apply([Delete(key=c)])
        made = await store.apply([Delete(key=b)])

        assert {one.key for one in made.changes} == {a, b}


async def test_a_new_owner_spares_what_the_old_one_takes_along(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply(whole_mesh("old"))
        await store.apply([put(mesh("new")), put(policy("x"), owner=mesh("old"))])
        await store.apply([put(policy("x"), owner=mesh("new")), Delete(key=mesh("old"))])

        assert await names(store) == ["x"]


async def test_an_owner_may_go_and_come_back_in_one_transaction(opening: ResourceOpening) -> None:
    async with opening() as store:
        await store.apply(whole_mesh("m"))
        await store.apply([Delete(key=mesh("m")), *whole_mesh("m")[:2]])

        assert await names(store, "Mesh") == ["m"]
        assert await names(store, "Secret") == ["dataplane-token-signing-key-m-1"]
        assert await names(store) == []


async def test_of_many_that_read_the_same_version_one_writes(opening: ResourceOpening) -> None:
    won: list[int] = []
    lost: list[ChangeRefusedError] = []

    async def write(store: ResourceStore, writer: int) -> None:
        try:
            await store.apply([put(policy("a"), spec(writer=writer), if_version=1)])
        except ChangeRefusedError as error:
            lost.append(error)
        else:
            won.append(writer)

    async with opening() as store:
        await store.apply([put(policy("a"))])
        async with trio.open_nursery() as nursery:
            for writer in range(30):
                nursery.start_soon(write, store, writer)

        kept = await store.get(policy("a"))
        assert kept is not None
        assert [spec(writer=writer) for writer in won] == [kept.spec]
        assert kept.version == 2
        assert [type(error) for error in lost] == [VersionConflictError] * 29


async def test_many_tasks_write_at_once_and_each_gets_its_own_answer(
    opening: ResourceOpening,
) -> None:
    refused: list[ResourceKey] = []

    async def write(store: ResourceStore, number: int) -> None:
        # Every third one asks for what cannot be: it fails alone.
        wrong = [Delete(key=policy(f"no-{number:03}"))] if number % 3 == 0 else []
        try:
            made = await store.apply([put(policy(f"{number:03}")), *wrong])
        except NotFoundError as error:
            refused.append(error.key)
        else:
            assert [one.key for one in made.changes] == [policy(f"{number:03}")]

    async with opening() as store:
        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(write, store, number)

        assert sorted(refused) == [policy(f"no-{n:03}") for n in range(0, 300, 3)]
        assert await names(store) == [f"{n:03}" for n in range(300) if n % 3]
        assert await store.revision() == 200


async def test_a_cancelled_change_is_made_whole_or_not_at_all(opening: ResourceOpening) -> None:
    async with opening() as store:
        for number in range(20):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.apply, whole_mesh(f"{number:02}"))
                    for _ in range(number % 4):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
        await store.apply([put(mesh("last"))])

        meshes = set(await names(store, "Mesh")) - {"last"}
        for name in meshes:
            assert len(await store.get_many([one.key for one in whole_mesh(name)])) == 5
        assert len(await names(store)) == 3 * len(meshes)


async def test_every_call_lets_other_tasks_run(opening: ResourceOpening) -> None:
    async with opening() as store:
        for call in (
            store.revision,
            lambda: store.get(policy("a")),
            lambda: store.get_many([policy("a")]),
            lambda: store.list(Selection(type="T")),
            lambda: store.apply([put(policy("a"))]),
        ):
            with trio.testing.assert_checkpoints():
                await call()
