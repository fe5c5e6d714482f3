"""Roles as decisions see them: always the newest, and nothing where they cannot be read."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.access import (
    Action,
    Grant,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    Operation,
    ReadResource,
    StaticAccess,
    Verb,
    View,
    WriteResource,
)
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, User
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.replica import RETRY_SECONDS, Replica
from kong_mesh_cp.usecases.identity.stored_roles import RolesUnknownError, StoredRoles
from kong_mesh_cp.usecases.ports.resource_store import Delete, FeedItem, Page, Put, Selection
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.identity import KNOWN
from support.fakes.resources import put

WRITE = WriteResource(verb=Verb.CREATE, type="Mesh", mesh="", name="m")
BY_ROLE: tuple[Action, ...] = (
    WRITE,
    IssueDataplaneToken(mesh="default", tags={}),
    IssueZoneToken(zone="east", scope=("cp",)),
    IssueUserToken(),
    Operation.CHANGE_SEALING_KEY,
)
BY_LIST: tuple[Action, ...] = (
    ReadResource("Secret"),
    ReadResource("Mesh"),
    *View,
    *(each for each in Operation if each is not Operation.CHANGE_SEALING_KEY),
)
BROKEN = StateError("the disk is gone", code="state-io", hint="Look for it.")


def role(name: str = "writer", *access: str, **limits: object) -> Put:
    """For meshes, unless `limits` say otherwise."""
    rules = [{"access": list(access or ("CREATE",)), **(limits or {"types": ["Mesh"]})}]
    return put(ResourceKey("AccessRole", "", name), json.dumps({"rules": rules}))


def binding(*subjects: str, name: str = "b", roles: Sequence[str] = ("writer",)) -> Put:
    """`subjects` are users, or groups where they have a colon."""
    named = [{"type": "Group" if ":" in each else "User", "name": each} for each in subjects]
    key = ResourceKey("AccessRoleBinding", "", name)
    return put(key, json.dumps({"subjects": named, "roles": list(roles)}))


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message.partition(":")[0] for record in caplog.records]


@asynccontextmanager
async def following(
    store: FakeResourceStore, readers: StaticAccess | None = None
) -> AsyncIterator[StoredRoles]:
    replica = Replica(store)
    roles = StoredRoles(replica, readers or StaticAccess())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        await nursery.start(roles.follow)
        yield roles
        nursery.cancel_scope.cancel()


async def test_what_was_there_before_the_start_decides() -> None:
    store = FakeResourceStore()
    await store.apply([role(), binding("john")])
    async with following(store) as roles:
        assert roles.permits(KNOWN, WRITE)
        assert not roles.permits(User("mary"), WRITE)
        assert not roles.permits(ADMIN, WRITE)


async def test_what_others_change_is_followed() -> None:
    store = FakeResourceStore()
    async with following(store) as roles:
        await store.apply([role(), binding("john")])
        await wait_all_tasks_blocked()
        assert roles.permits(KNOWN, WRITE)
        await store.apply([role("writer", "DELETE")])
        await wait_all_tasks_blocked()
        assert not roles.permits(KNOWN, WRITE)
        await store.apply([role(), Delete(key=binding("john").key)])
        await wait_all_tasks_blocked()
        assert not roles.permits(KNOWN, WRITE)


async def test_what_is_changed_here_is_in_force_when_the_change_is_answered() -> None:
    store = FakeResourceStore()
    async with following(store) as roles:
        writers = roles.for_writers()
        await writers.apply([role(), binding("john")])
        assert roles.permits(KNOWN, WRITE)  # and no other task has run
        await writers.apply([Delete(key=binding("john").key)])
        assert not roles.permits(KNOWN, WRITE)


async def test_before_anything_was_read_nothing_is_let_through() -> None:
    roles = StoredRoles(Replica(FakeResourceStore()), StaticAccess())
    for action in BY_ROLE:
        with pytest.raises(RolesUnknownError):
            roles.permits(ADMIN, action)


async def test_a_store_that_cannot_be_read_lets_nothing_through_until_it_can(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeResourceStore()
    await store.apply([role(), binding("john")])
    async with following(store) as roles:
        await store.apply([binding("john", name="c")])
        store.failure = BROKEN
        await wait_all_tasks_blocked()
        for action in BY_ROLE:
            with pytest.raises(RolesUnknownError, match="cannot be read"):
                roles.permits(KNOWN, action)
        for action in BY_LIST:
            roles.permits(KNOWN, action)
        await trio.sleep(10 * RETRY_SECONDS)
        assert codes(caplog) == ["access-roles-not-read"]
        store.failure = None
        await trio.sleep(2 * RETRY_SECONDS)
        assert roles.permits(KNOWN, WRITE)
    assert autojump_clock.rate == 0


@pytest.mark.usefixtures("autojump_clock")
async def test_a_change_made_here_that_cannot_be_read_again_is_not_taken_for_the_old_state() -> (
    None
):
    class FailingAfterwards(FakeResourceStore):
        async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
            if self.failing:
                raise BROKEN
            return await super().list_together(selections)

        failing = False

    store = FailingAfterwards()
    await store.apply([role(), binding("john")])
    async with following(store) as roles:
        store.failing = True
        await roles.for_writers().apply([Delete(key=binding("john").key)])
        with pytest.raises(RolesUnknownError):
            roles.permits(KNOWN, WRITE)
        store.failing = False
        await trio.sleep(3 * RETRY_SECONDS)
        assert not roles.permits(KNOWN, WRITE)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_doubt_ends_by_itself_though_the_feed_has_nothing_new() -> None:
    store = FakeResourceStore()
    await store.apply([role(), binding("john")])
    async with following(store) as roles:
        store.failure = BROKEN
        await roles.changed()
        store.failure = None
        with pytest.raises(RolesUnknownError):
            roles.permits(KNOWN, WRITE)
        await trio.sleep(2 * RETRY_SECONDS)
        assert roles.permits(KNOWN, WRITE)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_feed_that_has_broken_off_is_no_feed_though_the_store_can_be_read() -> None:
    """Somebody else may have taken a right away that nobody tells of any more."""

    class Unfed(FakeResourceStore):
        @contextmanager
        def changes(self, since: int | None = None) -> Iterator[AsyncIterator[FeedItem]]:
            with super().changes(since) as feed:
                yield breaking_off(feed) if self.breaks else feed

        breaks = True

    async def breaking_off(feed: AsyncIterator[FeedItem]) -> AsyncIterator[FeedItem]:
        async for item in feed:
            yield item
            raise BROKEN

    store = Unfed()
    await store.apply([role(), binding("john")])
    async with following(store) as roles:
        assert roles.permits(KNOWN, WRITE)
        await store.apply([put(ResourceKey("Zone", "", "east"))])
        await wait_all_tasks_blocked()
        store.breaks = False
        await roles.changed()
        with pytest.raises(RolesUnknownError):
            roles.permits(KNOWN, WRITE)
        await trio.sleep(2 * RETRY_SECONDS)
        assert roles.permits(KNOWN, WRITE)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_store_that_fails_at_the_start_does_not_hold_the_start_up() -> None:
    store = FakeResourceStore(failure=BROKEN)
    async with following(store) as roles:
        with pytest.raises(RolesUnknownError):
            roles.permits(ADMIN, WRITE)


async def test_lists_decide_about_the_rest() -> None:
    readers = StaticAccess(control_plane_metadata=Grant(users=frozenset({"john"})))
    async with following(FakeResourceStore(), readers) as roles:
        assert roles.permits(KNOWN, View.METADATA)
        assert not roles.permits(ANONYMOUS, View.METADATA)
        assert roles.permits(ADMIN, ReadResource("Secret"))
        assert not roles.permits(KNOWN, ReadResource("Secret"))


async def test_a_role_for_tokens_of_users_reads_secrets_as_long_as_it_is_known() -> None:
    store = FakeResourceStore()
    await store.apply([role("issuer", "GENERATE_USER_TOKEN"), binding("john", roles=["issuer"])])
    async with following(store) as roles:
        assert roles.permits(KNOWN, ReadResource("Secret"))
        store.failure = BROKEN
        await roles.changed()
        assert not roles.permits(KNOWN, ReadResource("Secret"))
        assert roles.permits(ADMIN, ReadResource("Secret"))


async def test_a_role_that_cannot_be_read_gives_nothing_and_takes_nothing_from_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeResourceStore()
    odd = put(ResourceKey("AccessRoleBinding", "", "odd"), '{"subjects":7}')
    await store.apply([role(), binding("john"), odd])
    async with following(store) as roles:
        assert roles.permits(KNOWN, WRITE)
        await roles.changed()
    assert codes(caplog) == ["access-role-unreadable"]
    assert 'AccessRoleBinding "odd" gives nobody anything' in caplog.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ([], "access-nobody-writes"),
        ([role()], "access-nobody-writes"),
        ([binding("john")], "access-nobody-writes"),
        ([role(), binding()], "access-nobody-writes"),
        ([role(), binding("mesh-system:unauthenticated")], "access-open-to-all"),
        ([role(), binding("mesh-system:authenticated")], None),
        ([binding("mesh-system:unauthenticated"), role("other"),
          binding("john", name="c", roles=["other"])], None),
    ],
)  # fmt: skip
async def test_odd_roles_are_warned_of(
    changes: list[Put], code: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeResourceStore()
    await store.apply(changes)
    async with following(store) as roles:
        assert codes(caplog) == []  # a start may be about to make some
        roles.settle()
        await roles.changed()
    assert codes(caplog) == ([] if code is None else [code])


async def test_a_warning_comes_again_when_its_cause_does(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeResourceStore()
    async with following(store) as roles:
        writers = roles.for_writers()
        roles.settle()
        await writers.apply([role(), binding("john")])
        await writers.apply([Delete(key=binding("john").key)])
    assert codes(caplog) == ["access-nobody-writes"] * 2
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@pytest.mark.parametrize(
    "rule",
    [
        {"types": []},
        {"types": ["MeshTimeout", "AccessRole"]},
        {"types": ["AccessRoleBinding"]},
        {"types": ["GlobalSecret"], "names": ["user-token-signing-key-9"]},
    ],
)
@pytest.mark.parametrize("access", ["CREATE", "UPDATE", "DELETE"])
async def test_a_role_that_makes_its_holders_administrators_is_warned_of(
    rule: dict[str, object], access: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeResourceStore()
    await store.apply([role("writer", access, **rule), binding("john")])
    async with following(store) as roles:
        roles.settle()
        await roles.changed()
        assert codes(caplog) == ["access-role-leads-to-more"]
        assert 'the AccessRoles "writer" can get every right' in caplog.text
        await store.apply([Delete(key=binding("john").key), binding("mary")])
        await wait_all_tasks_blocked()
    assert codes(caplog) == ["access-role-leads-to-more"]


@pytest.mark.parametrize(
    "rule",
    [
        {"mesh": "*"},
        {"mesh": "payments"},
        {"types": ["Secret", "Mesh", "MeshTimeout"]},
        {"when": [{"targetRef": {"kind": "MeshService"}}]},
        {"types": [], "access": ["GENERATE_DATAPLANE_TOKEN", "VIEW_STATS"]},
        {"access": [
            "CREATE", "UPDATE", "DELETE", "GENERATE_DATAPLANE_TOKEN", "GENERATE_USER_TOKEN",
            "GENERATE_ZONE_CP_TOKEN", "GENERATE_ZONE_TOKEN",
        ]},
    ],
)  # fmt: skip
async def test_neither_a_role_that_cannot_nor_one_that_says_it_is_an_administrators_is_warned_of(
    rule: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeResourceStore()
    await store.apply([role("writer", "CREATE", **rule), binding("john")])
    async with following(store) as roles:
        roles.settle()
    assert codes(caplog) == []


async def test_a_role_is_not_warned_of_until_it_is_bound(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeResourceStore()
    await store.apply([role(), binding("john"), role("wide", "CREATE", types=[])])
    async with following(store) as roles:
        roles.settle()
        assert codes(caplog) == []
        await roles.for_writers().apply([binding("john", name="c", roles=["wide"])])
    assert codes(caplog) == ["access-role-leads-to-more"]
