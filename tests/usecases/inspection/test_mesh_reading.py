"""Inspection reads a mesh once, at one moment, and shows each user what that user may see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.identity.access import AccessRules, Action, Grant, StaticAccess
from kong_mesh_cp.core.identity.users import ADMIN, User
from kong_mesh_cp.core.resources.inline_secrets import MASK
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports.resource_store import Page, Selection
from kong_mesh_cp.usecases.resources.queries import ListQuery
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from support.daemons.resource_api import ResourceApi, inbound, networking
from support.fakes.fake_resources import CountedLists, FakeResourceStore

READER = User("reader")
MESH_WIDE = {"kind": "Mesh"}


@dataclass
class _Changing:
    """Access rules that are others after a while."""

    now: AccessRules = field(default_factory=StaticAccess)

    def permits(self, user: User, action: Action) -> bool:
        return self.now.permits(user, action)


@asynccontextmanager
async def populated(
    store: FakeResourceStore, access: AccessRules | None = None
) -> AsyncIterator[ResourceApi]:
    api = ResourceApi(store=store, access=access or StaticAccess())
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    for name in ("web", "api"):
        await api.put("Dataplane", name, mesh="m", networking=networking(inbound(name)))
    await timeout(api, "p", "1s")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(api.replica.run)
        await wait_all_tasks_blocked()
        yield api
        nursery.cancel_scope.cancel()


async def timeout(api: ResourceApi, name: str, seconds: str) -> None:
    to = [{"targetRef": MESH_WIDE, "default": {"connectionTimeout": seconds}}]
    await api.put("MeshTimeout", name, mesh="m", spec={"targetRef": MESH_WIDE, "to": to})


async def patch(api: ResourceApi, secret: str) -> None:
    """A policy that holds a secret of Envoy."""
    socket = {"private_key": {"inline_string": secret}}
    cluster = json.dumps({"name": "a", "transport_socket": socket})
    operation = {"cluster": {"operation": "Add", "value": cluster}}
    spec = {"targetRef": MESH_WIDE, "default": {"appendModifications": [operation]}}
    await api.put("MeshProxyPatch", "secret", mesh="m", spec=spec)


async def rules(api: ResourceApi, user: User = ADMIN) -> dict[str, Any]:
    return cast("dict[str, Any]", await api.inspecting.dataplane_rules(user, "m", "web"))


async def proxies(api: ResourceApi, **query: Any) -> list[object]:
    page = await api.inspecting.dataplanes(
        ADMIN, TYPES["MeshTimeout"], "m", "p", ListQuery(**query)
    )
    return [each["name"] for each in page.items]


async def test_all_that_decides_is_one_question_to_the_store_and_the_next_time_none() -> None:
    store = CountedLists()
    async with populated(store) as api:
        store.questions = 0
        first = await rules(api)
        assert store.questions == 1
        assert len(store.listed) == len(set(store.listed))
        assert await rules(api) == first
        assert store.questions == 1

        assert await proxies(api) == ["api", "web"]
        assert store.questions == 2
        assert store.listed[-1] == "Dataplane"
        assert await proxies(api) == ["api", "web"]
        assert await proxies(api, name="e") == ["web"]
        assert store.questions == 2


async def test_a_change_shows_in_the_next_answer() -> None:
    async with populated(FakeResourceStore()) as api:
        for seconds in ("2s", "3s", "4s"):
            await rules(api)
            await timeout(api, "p", seconds)
            (about,) = (await rules(api))["rules"]
            assert about["toRules"][0]["conf"]["connectionTimeout"] == seconds
        for number in range(3):
            await proxies(api)
            dataplane = networking(inbound("new"))
            await api.put("Dataplane", f"new-{number}", mesh="m", networking=dataplane)
            assert f"new-{number}" in await proxies(api)
        await api.delete("Dataplane", "new-1", mesh="m")
        assert await proxies(api) == ["api", "new-0", "new-2", "web"]


@pytest.mark.parametrize("first", [ADMIN, READER], ids=lambda user: user.name)
async def test_who_may_not_read_secrets_sees_masks_whoever_asked_before(first: User) -> None:
    async with populated(FakeResourceStore()) as api:
        await patch(api, "hush-hush")
        for user in (first, ADMIN, READER, ADMIN, READER):
            shown = json.dumps(await rules(api, user))
            assert ("hush-hush" in shown) == (user is ADMIN)
            assert (MASK in shown) == (user is READER)


async def test_who_may_read_secrets_from_now_on_sees_them_at_once() -> None:
    access = _Changing()
    async with populated(FakeResourceStore(), access) as api:
        await patch(api, "hush-hush")
        assert "hush-hush" not in json.dumps(await rules(api, READER))
        access.now = StaticAccess(admin_resources=Grant(users=frozenset({"reader"})))
        assert "hush-hush" in json.dumps(await rules(api, READER))
        assert "hush-hush" not in json.dumps(await rules(api, ADMIN))


@dataclass
class _LosesThePolicy(FakeResourceStore):
    """Lists the mesh as it is when `gone` was deleted just before."""

    gone: str = ""

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        if self.gone:
            keys = [key for key in self.resources if key.name == self.gone]
            self.gone = ""
            for key in keys:
                del self.resources[key]
        return await super().list_together(selections)


async def test_a_policy_that_is_deleted_while_its_proxies_are_asked_for_counts_as_it_was_read() -> (
    None
):
    store = _LosesThePolicy()
    async with populated(store) as api:
        store.gone = "p"
        assert await proxies(api) == ["api", "web"]
        with pytest.raises(ResourceRefusedError):
            await proxies(api)
