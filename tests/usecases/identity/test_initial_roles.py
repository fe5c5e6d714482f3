"""The role and the binding of a first start under `rbac`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.usecases.identity.initial_roles import FirstAdministrators, ensure_roles
from kong_mesh_cp.usecases.ports.resource_store import Applied, Change, Put
from support.daemons.resource_api import AT
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import put

ROLE = ResourceKey("AccessRole", "", "admin")
BINDING = ResourceKey("AccessRoleBinding", "", "default")
OPS = FirstAdministrators(users=("mary",), groups=("ops",))


async def ensure(store: FakeResourceStore) -> bool:
    return await ensure_roles(store, OPS, Deployment(), lambda: AT)


async def test_both_are_made_in_one_transaction_for_those_who_were_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    store = FakeResourceStore()
    assert await ensure(store)
    assert set(store.resources) == {ROLE, BINDING}
    assert json.loads(store.resources[BINDING].spec) == {
        "subjects": [{"type": "Group", "name": "ops"}, {"type": "User", "name": "mary"}],
        "roles": ["admin"],
    }
    # Acceptance tests of others wait for these words.
    for words in ("default AccessRole created", "default AccessRoleBinding created"):
        assert words in caplog.text


@pytest.mark.parametrize(
    "there",
    [
        put(ROLE, '{"rules":[]}'),
        put(ResourceKey("AccessRole", "", "other"), '{"rules":[]}'),
        put(ResourceKey("AccessRoleBinding", "", "other"), '{"subjects":[],"roles":[]}'),
    ],
)
async def test_what_an_operator_has_made_is_never_widened(there: Put) -> None:
    store = FakeResourceStore()
    await store.apply([there])
    assert not await ensure(store)
    assert set(store.resources) == {there.key}


async def test_a_second_start_makes_nothing() -> None:
    store = FakeResourceStore()
    assert await ensure(store)
    assert not await ensure(store)
    assert {each.version for each in store.resources.values()} == {1}


async def test_of_two_control_planes_that_start_at_once_one_makes_them() -> None:
    class Slow(FakeResourceStore):
        """Another one is faster between the question and the change."""

        async def apply(self, changes: Sequence[Change]) -> Applied:
            await FakeResourceStore.apply(self, [put(ROLE, '{"rules":[]}', if_version=0)])
            return await super().apply(changes)

    store = Slow()
    assert not await ensure(store)
    assert set(store.resources) == {ROLE}
