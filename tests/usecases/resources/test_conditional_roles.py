"""What a role with conditions is worth: every type of the registry, through the door of clients.

A rule with conditions is about what is stored. Whatever else a body carries (members of the other
generation, in other letters, in other places) makes it neither wider nor narrower.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from kong_mesh_cp.core.identity.access import AccessRules, Action
from kong_mesh_cp.core.identity.conditions import can_be_fulfilled, may_be_about
from kong_mesh_cp.core.identity.refusals import AccessDeniedError
from kong_mesh_cp.core.identity.roles import RoleAccess, admin_binding, admin_role
from kong_mesh_cp.core.identity.users import ADMIN, ADMINS, User
from kong_mesh_cp.core.resources.kind import ProtoKind
from kong_mesh_cp.core.resources.kinds.access_role import (
    KIND,
    AccessRoleBinding,
    Condition,
    DirectionCondition,
    RefCondition,
    Subject,
    TagMatch,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.schema.member_names import folded
from kong_mesh_cp.core.schema.messages import message_fields
from kong_mesh_cp.usecases.ports.resource_store import Applied, Change, Put
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.sent_bodies import LARGE_BODY_BYTES
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.identity import KNOWN
from support.specs.sound_resources import SOUND

Json = dict[str, Any]

STORED = sorted(
    resource_type.name
    for resource_type in TYPES.values()
    if resource_type.name in KINDS and not resource_type.virtual
)
CHOOSY = sorted(name for name in STORED if may_be_about(name))
NEVER = {"Secret", "GlobalSecret", "AccessRole", "AccessRoleBinding", "Mesh"}

CART_TAGS = {"kuma.io/service": "cart"}
CART: Json = {"kind": "MeshService", "name": "cart"}
CART_SELECTORS: list[Json] = [{"match": CART_TAGS}]
CART_ENTRIES: list[Json] = [{"targetRef": CART, "default": {}}]

# What a body may carry to look like a resource for the cart, which no sound one is for.
FORGED: Json = {
    "sources": CART_SELECTORS,
    "destinations": CART_SELECTORS,
    "selectors": CART_SELECTORS,
    "targetRef": CART,
    "to": CART_ENTRIES,
    "from": CART_ENTRIES,
    "rules": [{"default": {}}],
    "dpToken": {"tags": [{"name": "kuma.io/service", "value": "cart"}]},
}
FORGERIES = ("sources", "destinations", "selectors", "targetRef", "to", "from")
CONDITIONS: list[Json] = [
    {"sources": {"match": CART_TAGS}},
    {"destinations": {"match": CART_TAGS}},
    {"selectors": {"match": CART_TAGS}},
    {"sources": {"match": CART_TAGS}, "destinations": {"match": CART_TAGS}},
    {"targetRef": CART},
    {"to": {"targetRef": CART}},
    {"from": {"targetRef": CART}},
    {"targetRef": CART, "to": {"targetRef": CART}, "from": {"targetRef": CART}},
    {"dpToken": {"tags": [{"name": "kuma.io/service", "value": "cart"}]}},
    {"targetRef": CART, "selectors": {"match": CART_TAGS}},
    # What asks for nothing grants nothing.
    {},
    {"sources": {}},
    {"selectors": {"match": {}}},
    {"sources": {"match": {}}, "destinations": {"match": CART_TAGS}},
    {"targetRef": {}},
    {"targetRef": {"tags": {}}},
    {"targetRef": {"mesh": "*"}},
    {"to": {}},
    {"from": {"targetRef": {}}},
    {"dpToken": {"tags": []}},
]


class Both:
    """John has a role of his own; the administrators have all rights."""

    def __init__(self, *rules: Json) -> None:
        self.give(*rules)

    def give(self, *rules: Json) -> None:
        """These are the rules of his role from now on."""
        role = KIND.parse({"type": "AccessRole", "name": "johns", "rules": list(rules)})
        johns = AccessRoleBinding(subjects=(Subject(type="User", name="john"),), roles=("johns",))
        self._rules: AccessRules = RoleAccess(
            roles={"johns": role, "admin": admin_role()},
            bindings=(johns, admin_binding(groups=[ADMINS])),
        )

    def permits(self, user: User, action: Action) -> bool:
        return self._rules.permits(user, action)


def rules_with(*conditions: Json) -> Iterator[Json]:
    for limits in ({}, {"mesh": "m"}, {"mesh": "*"}):
        yield {"access": ["CREATE", "UPDATE", "DELETE"], "when": list(conditions), **limits}


async def api_for(access: Both) -> ResourceApi:
    api = ResourceApi(access=access)
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return api


def known_members(type_name: str) -> set[str]:
    """What the schema of a type has, of its spec."""
    match KINDS[type_name]:
        case PluginKind(spec_type=spec_type):
            return {member.name for member in records.record(spec_type).members}
        case ProtoKind(message_type=message_type):
            return {name for each in message_fields(message_type) for name in each.names}
        case kind:
            raise AssertionError(kind)


def sound(type_name: str) -> Json:
    nothing: Json = {"spec": {}} if TYPES[type_name].plugin else {}
    return copy.deepcopy(SOUND.get(type_name, nothing))


def forged(type_name: str) -> Json:
    """A sound body with all that could be taken for a sign that it is for the cart."""
    body = sound(type_name)
    plugin = TYPES[type_name].plugin
    unknown = {name: FORGED[name] for name in FORGED.keys() - known_members(type_name)}
    # The newer types know their members in any case of letters.
    known = {folded(name) for name in known_members(type_name)} if plugin else set()
    disguised = {
        spelled: value
        for name, value in FORGED.items()
        for spelled in (name.upper(), name.title(), f"{name} ", "target_ref", "TargetRef")
        if spelled not in known_members(type_name) and folded(spelled) not in known
    }
    if plugin:
        body["spec"] |= unknown | disguised | {"spec": FORGED, "metadata": FORGED}
        return body | FORGED | disguised | {"Spec ": FORGED, "metadata": {"spec": FORGED}}
    spec = {"spec": FORGED | disguised} if "spec" not in known_members(type_name) else {}
    return body | unknown | disguised | spec | {"Spec": FORGED, "metadata": FORGED}


@pytest.mark.parametrize("type_name", STORED)
async def test_nothing_that_a_type_does_not_have_fulfils_a_condition(type_name: str) -> None:
    mesh = "m" if TYPES[type_name].is_mesh_scoped else ""
    access = Both()
    api = await api_for(access)
    names = ["evil"]
    if type_name in SOUND:  # others are made by the control plane alone
        await api.put(type_name, "there", mesh=mesh, **sound(type_name))
        names.append("there")
    before, body = await api.store.revision(), forged(type_name)
    for rule in (rule for condition in CONDITIONS for rule in rules_with(condition)):
        access.give(rule)
        for name in names:
            with pytest.raises(AccessDeniedError):
                await api.put(type_name, name, mesh=mesh, user=KNOWN, **body)
            with pytest.raises(AccessDeniedError):
                await api.delete(type_name, "there", mesh=mesh, user=KNOWN)
    assert await api.store.revision() == before


OF_CART: Json = {"targetRef": {"kind": "MeshSubset", "tags": CART_TAGS}}
OF_ALL: Json = {"targetRef": {"kind": "Mesh"}}
TIMEOUT: Json = {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "1h"}}]}


@pytest.mark.parametrize("spelled", ["TARGETREF", "targetref", "TargetRef", "targetRef"])
async def test_a_member_in_another_case_is_judged_as_what_it_is(spelled: str) -> None:
    for rule in rules_with(OF_CART):
        api = await api_for(Both(rule))
        spec = {**TIMEOUT, spelled: OF_CART["targetRef"]}
        await api.put("MeshTimeout", "mine", mesh="m", user=KNOWN, spec=spec)
        stored = await api.get("MeshTimeout", "mine", mesh="m")
        assert stored["spec"]["targetRef"] == OF_CART["targetRef"]
        spec = {**TIMEOUT, spelled: OF_ALL["targetRef"]}
        with pytest.raises(AccessDeniedError):
            await api.put("MeshTimeout", "mine", mesh="m", user=KNOWN, spec=spec)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        # In the order of their code points, as Go's decoder meets them, and merged as it does.
        ({"targetRef": OF_CART["targetRef"], "targetref": {"kind": "Mesh"}}, ResourceRefusedError),
        ({"targetRef": OF_CART["targetRef"], "targetref": None}, AccessDeniedError),
        ({"TargetRef": OF_CART["targetRef"], "targetRef": {"kind": "Mesh"}}, ResourceRefusedError),
        ({"TargetRef": OF_ALL["targetRef"], "targetRef": OF_CART["targetRef"]}, None),
    ],
)
async def test_of_one_member_in_two_cases_what_is_stored_is_judged(
    given: Json, refusal: type[Exception] | None
) -> None:
    """Two readings of one body would be a way around a role, whichever of them is judged."""
    (rule, *_) = rules_with(OF_CART)
    for spec in ({**TIMEOUT, **given}, {**dict(reversed(given.items())), **TIMEOUT}):
        api = await api_for(Both(rule))
        with pytest.raises(refusal) if refusal else nullcontext():
            await api.put("MeshTimeout", "mine", mesh="m", user=KNOWN, spec=spec)
        if refusal is None:
            stored = await api.get("MeshTimeout", "mine", mesh="m")
            assert stored["spec"]["targetRef"] == OF_CART["targetRef"]


def own_condition(type_name: str) -> Json:
    """One that the sound resource of the type fulfils."""
    body = SOUND[type_name]
    if TYPES[type_name].plugin:
        return {"targetRef": {"kind": body["spec"].get("targetRef", {"kind": "Mesh"})["kind"]}}
    any_service = {"match": {"kuma.io/service": "*"}}
    return {name: any_service for name in ("sources", "destinations", "selectors") if name in body}


@pytest.mark.parametrize("type_name", CHOOSY)
async def test_what_a_type_has_fulfils_a_condition_whatever_else_is_sent(type_name: str) -> None:
    condition = own_condition(type_name)
    (rule, *_) = rules_with(condition)
    for body in (sound(type_name), forged(type_name)):
        api = await api_for(Both(rule))
        for _ in range(2):
            await api.put(type_name, "mine", mesh="m", user=KNOWN, **body)
        stored = await api.get(type_name, "mine", mesh="m")
        assert not (FORGED.keys() - known_members(type_name)) & stored.keys()
        await api.delete(type_name, "mine", mesh="m", user=KNOWN)


def test_only_what_says_whom_it_is_for_is_ever_covered_by_a_condition() -> None:
    assert TYPES.keys() >= NEVER
    for name, resource_type in TYPES.items():
        if may_be_about(name):
            assert resource_type.is_mesh_scoped and not resource_type.admin_only, name
    assert not any(map(may_be_about, NEVER | {"Zone", "Dataplane", "NoSuchType", ""}))
    assert len(CHOOSY) > 25


@pytest.mark.parametrize("type_name", STORED)
def test_the_registry_and_the_schema_agree_on_what_can_be_asked(type_name: str) -> None:
    tags, ref = TagMatch(match=CART_TAGS), RefCondition(kind="MeshService")
    asking = {
        "sources": Condition(sources=tags),
        "destinations": Condition(destinations=tags),
        "selectors": Condition(selectors=tags),
        "targetRef": Condition(target_ref=ref),
        "to": Condition(to=DirectionCondition(target_ref=ref)),
        "from": Condition(from_=DirectionCondition(target_ref=ref)),
    }
    assert tuple(asking) == FORGERIES
    known = known_members(type_name)
    for name, condition in asking.items():
        possible = can_be_fulfilled(condition, type_name)
        if TYPES[type_name].plugin or name in known or not may_be_about(type_name):
            assert possible is (name in known), name


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"MeshTimeout","mesh":"m","name":"x","spec":{"targetRef":%s,"targetRef":%s}}',
        b'{"type":"MeshTimeout","mesh":"m","name":"x","spec":{"targetRef":%s},"spec":{"targetRef":%s}}',
    ],
)
async def test_a_member_that_stands_twice_is_refused(body: bytes) -> None:
    (rule, *_) = rules_with({"targetRef": CART})
    cart, mesh = json.dumps(CART).encode(), b'{"kind":"Mesh"}'
    api = await api_for(Both(rule))
    for both in ((cart, mesh), (mesh, cart)):
        with pytest.raises(ResourceRefusedError) as caught:
            await api.send("MeshTimeout", "x", body % both, mesh="m", user=KNOWN)
        assert caught.value.fault is Fault.UNREADABLE


async def test_a_body_for_another_resource_is_checked_by_its_url() -> None:
    rule = {"access": ["CREATE"], "types": ["MeshTimeout"], "names": ["mine"], "mesh": "m"}
    api = await api_for(Both(rule))
    await api.put("Mesh", "bank", skipCreatingInitialPolicies=["*"])
    for type_name, name, mesh in (
        ("MeshRetry", "mine", "m"),
        ("MeshTimeout", "theirs", "m"),
        ("MeshTimeout", "mine", "bank"),
    ):
        body = {"type": "MeshTimeout", "name": "mine", "mesh": "m", **sound("MeshTimeout")}
        with pytest.raises(AccessDeniedError):
            await api.send(type_name, name, json.dumps(body).encode(), mesh=mesh, user=KNOWN)
        told = {**body, "type": type_name, "name": name, "mesh": mesh}
        with pytest.raises(ResourceRefusedError):
            await api.send("MeshTimeout", "mine", json.dumps(told).encode(), mesh="m", user=KNOWN)
    assert await api.names("MeshTimeout") == []


async def test_a_large_body_is_checked_as_a_small_one() -> None:
    (rule, *_) = rules_with({"targetRef": {"kind": "Dataplane", "name": "cart"}})
    api = await api_for(Both(rule))
    body = {"type": "MeshTimeout", "name": "x", "mesh": "m", **sound("MeshTimeout")}
    padding = b" " * LARGE_BODY_BYTES
    forgery = json.dumps(body | FORGED).encode() + padding
    for created in (True, False):
        with pytest.raises(AccessDeniedError):
            await api.send("MeshTimeout", "x", forgery, mesh="m", user=KNOWN)
        spec = {**body["spec"], "targetRef": {"kind": "Dataplane", "name": "cart"}}
        allowed = json.dumps({**body, "spec": spec}).encode() + padding
        written = await api.send("MeshTimeout", "x", allowed, mesh="m", user=KNOWN)
        assert written.created is created


@pytest.mark.parametrize(
    "unreadable", [b"{", b"", b"[" * 10_000, b'{"a":1,"a":2}', b"\xff", b"x" * 9 * LARGE_BODY_BYTES]
)
async def test_a_user_who_could_write_nothing_there_is_refused_before_the_body_is_read(
    unreadable: bytes,
) -> None:
    narrow = {"access": ["CREATE", "DELETE"], "types": ["MeshTimeout"], "names": ["mine"]}
    api = await api_for(Both({**narrow, "mesh": "m", "when": [{"targetRef": CART}]}))
    await api.put("Mesh", "bank", skipCreatingInitialPolicies=["*"])
    for type_name, name, mesh in (
        ("MeshRetry", "mine", "m"),
        ("MeshTimeout", "theirs", "m"),
        ("MeshTimeout", "mine", "bank"),
        ("Mesh", "mine", ""),
        ("Secret", "mine", "m"),
        ("AccessRoleBinding", "mine", ""),
    ):
        with pytest.raises(AccessDeniedError):
            await api.send(type_name, name, unreadable, mesh=mesh, user=KNOWN)
        with pytest.raises(AccessDeniedError):
            await api.delete(type_name, name, mesh=mesh, user=KNOWN)
    with pytest.raises(ResourceRefusedError):  # it might be one for the cart
        await api.send("MeshTimeout", "mine", unreadable, mesh="m", user=KNOWN)
    body = sound("MeshTimeout")
    await api.put("MeshTimeout", "mine", mesh="m", user=ADMIN, **body)
    with pytest.raises(AccessDeniedError):  # to update is no right of theirs
        await api.send("MeshTimeout", "mine", unreadable, mesh="m", user=KNOWN)


class MovedMeanwhile(FakeResourceStore):
    """Somebody else's write comes between what is read and what is deleted."""

    moved: dict[str, Any] | None = None

    async def apply(self, changes: Sequence[Change]) -> Applied:
        spec, self.moved = self.moved, None
        if spec is not None:
            key = changes[0].key
            await super().apply([Put(key=key, spec=json.dumps({"spec": spec}), at=AT)])
        return await super().apply(changes)


async def test_what_was_given_to_others_meanwhile_is_not_deleted() -> None:
    (rule, *_) = rules_with({"targetRef": {"kind": "Dataplane", "name": "cart"}})
    store = MovedMeanwhile()
    api = ResourceApi(store=store, access=Both(rule))
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    body = sound("MeshTimeout")
    await api.put(
        "MeshTimeout",
        "x",
        mesh="m",
        spec={**body["spec"], "targetRef": {"kind": "Dataplane", "name": "cart"}},
    )
    store.moved = {**body["spec"], "targetRef": {"kind": "Mesh"}}

    with pytest.raises(ResourceRefusedError) as caught:
        await api.delete("MeshTimeout", "x", mesh="m", user=KNOWN)

    assert caught.value.fault is Fault.CONFLICT
    assert (await api.get("MeshTimeout", "x", mesh="m"))["spec"]["targetRef"] == {"kind": "Mesh"}
