"""Writers who are no administrators fill the store up to the quota, and no further."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kong_mesh_cp.core.identity.access import AccessRules, Grant, StaticAccess
from kong_mesh_cp.core.identity.roles import RoleAccess
from kong_mesh_cp.core.identity.users import ADMIN, AUTHENTICATED, User
from kong_mesh_cp.core.resources.kinds.access_role import (
    AccessRole,
    AccessRoleBinding,
    AccessRule,
    Condition,
    RefCondition,
    Subject,
)
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.volume import Quota
from kong_mesh_cp.usecases.resources.quotas import Quotas
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from support.daemons.resource_api import ResourceApi, networking

SOMEBODY = User("john", (AUTHENTICATED,))
QUOTA = Quota(items=8, bytes=4_000)
EVERYTHING = ("CREATE", "UPDATE", "DELETE")


async def api(quota: Quota = QUOTA) -> ResourceApi:
    """With a mesh: it comes as two items, itself and its signing key."""
    made = ResourceApi(quota=quota)
    await made.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return made


async def policy(
    made: ResourceApi,
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    user: User = SOMEBODY,
) -> None:
    default = {"connectionTimeout": "1s"}
    to = [{"targetRef": {"kind": "Mesh"}, "default": default}]
    given: dict[str, Any] = {"spec": {"to": to}, "labels": dict(labels or {})}
    await made.put("MeshTimeout", name, mesh="m", user=user, **given)


async def over(
    made: ResourceApi, name: str, labels: Mapping[str, str] | None = None
) -> ResourceRefusedError:
    with pytest.raises(ResourceRefusedError) as caught:
        await policy(made, name, labels)
    assert caught.value.fault is Fault.OVER_QUOTA
    return caught.value


async def test_the_items_are_bounded_for_all_of_them_together() -> None:
    made = await api()
    for number in range(6):
        await policy(made, f"p{number}", user=User(f"u{number}", (AUTHENTICATED,)))
    error = await over(made, "more")
    assert error.code == "resource-over-quota"
    assert error.detail == (
        "the store would hold 9 items of resources but Dataplanes, and users who are no "
        "administrators may fill it up to 8 items"
    )
    assert "store.quota.items" in error.hint
    await policy(made, "p1")  # a change takes no room
    await made.delete("MeshTimeout", "p0", mesh="m", user=SOMEBODY)
    await policy(made, "more")


async def test_labels_and_growing_resources_are_bounded_by_bytes() -> None:
    made = await api()
    await policy(made, "p")
    many = {f"l{number}": "x" * 60 for number in range(100)}
    error = await over(made, "p", many)
    assert error.title == "Could not update a resource"
    assert "bytes of resources but Dataplanes" in error.detail
    assert (await made.get("MeshTimeout", "p", mesh="m"))["labels"].get("l1") is None


async def test_an_administrator_is_not_bounded() -> None:
    made = await api()
    for number in range(20):
        await policy(made, f"p{number}", user=ADMIN)
    await over(made, "more")


async def test_a_mesh_is_counted_with_all_that_comes_with_it() -> None:
    made = await api(Quota(items=7, bytes=QUOTA.bytes))
    with pytest.raises(ResourceRefusedError) as caught:
        await made.put("Mesh", "other", user=SOMEBODY)  # with its initial policies
    assert caught.value.fault is Fault.OVER_QUOTA
    assert await made.names("Mesh") == ["m"]
    await made.put("Mesh", "other", user=SOMEBODY, skipCreatingInitialPolicies=["*"])


async def test_dataplanes_have_their_own_quota() -> None:
    made = await api()
    for number in range(8):
        given = networking()
        await made.put("Dataplane", f"d{number}", mesh="m", user=SOMEBODY, networking=given)
    with pytest.raises(ResourceRefusedError) as caught:
        await made.put("Dataplane", "more", mesh="m", user=SOMEBODY, networking=networking())
    assert "9 items of Dataplanes" in caught.value.detail
    await policy(made, "p")


def roles(*rules: AccessRule) -> AccessRules:
    binding = AccessRoleBinding(subjects=(Subject(type="User", name="john"),), roles=("r",))
    role = AccessRole(rules=rules)
    return RoleAccess(roles={"r": role}, bindings=(binding,), readers=StaticAccess())


@pytest.mark.parametrize(
    ("rules", "bounded"),
    [
        (StaticAccess(), True),
        (StaticAccess(admin_resources=Grant(users=frozenset({"john"}))), False),
        (StaticAccess(admin_resources=Grant(groups=frozenset({AUTHENTICATED}))), False),
        (StaticAccess(generate_user_token=Grant(users=frozenset({"john"}))), True),
        (roles(AccessRule(access=EVERYTHING)), False),
        (roles(AccessRule(access=EVERYTHING, mesh="payments")), True),
        (roles(AccessRule(access=EVERYTHING, types=("Mesh", "MeshTimeout"))), True),
        (roles(AccessRule(access=EVERYTHING, names=("x",))), True),
        (
            roles(
                AccessRule(
                    access=EVERYTHING,
                    when=(Condition(target_ref=RefCondition(kind="MeshService")),),
                )
            ),
            True,
        ),
        (roles(), True),
    ],
)
def test_a_user_who_may_make_any_role_is_an_administrator(
    rules: AccessRules,
    bounded: bool,
) -> None:
    assert Quotas(QUOTA, rules).of(SOMEBODY) == (QUOTA if bounded else None)


async def test_a_quota_of_nothing_still_lets_administrators_write() -> None:
    made = await api(Quota(items=0, bytes=0))
    await over(made, "p")
    await policy(made, "p", user=ADMIN)
    await made.send(
        "MeshTimeout",
        "p",
        json.dumps(await made.get("MeshTimeout", "p", mesh="m")).encode(),
        mesh="m",
        user=SOMEBODY,
    )


async def test_a_dry_run_says_that_there_is_no_room_and_takes_none() -> None:
    made = await api(Quota(items=3, bytes=4_000))
    body = {
        "type": "MeshTimeout",
        "mesh": "m",
        "name": "a",
        "spec": {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}]},
    }

    async def judge(name: str) -> bool:
        sent = json.dumps({**body, "name": name}).encode()
        policy_type = TYPES["MeshTimeout"]
        written = await made.applying.put(SOMEBODY, policy_type, "m", name, sent, dry_run=True)
        return written.created

    for _ in range(3):
        assert await judge("a")
    await policy(made, "a")
    with pytest.raises(ResourceRefusedError) as caught:
        await judge("b")
    assert caught.value.fault is Fault.OVER_QUOTA
