"""Who may do what by roles and bindings."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.identity.access import (
    Grant,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    ReadResource,
    StaticAccess,
    Verb,
    View,
    refusal_of,
)
from kong_mesh_cp.core.identity.roles import RoleAccess, admin_binding, admin_role
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, User
from kong_mesh_cp.core.resources.kinds.access_role import (
    KIND,
    AccessRoleBinding,
    Subject,
)
from kong_mesh_cp.core.resources.registry import TYPES
from support.fakes.identity import KNOWN
from support.specs.roles import TO_JOHN, creates, role, write


def test_out_of_the_box_everybody_may_write_everything_as_in_kong_mesh() -> None:
    rules = RoleAccess(roles={"admin": admin_role()}, bindings=(admin_binding(),))
    for user in (ANONYMOUS, KNOWN, ADMIN):
        for verb in Verb:
            assert rules.permits(user, write(verb=verb))
        assert rules.permits(user, IssueUserToken())
        assert rules.permits(user, IssueDataplaneToken(mesh="m", tags={}))
        assert rules.permits(user, IssueZoneToken(zone="z", scope=("cp", "ingress")))


def test_the_binding_of_a_first_start_takes_its_subjects_from_the_configuration() -> None:
    binding = admin_binding(users=["mary"], groups=["ops"])
    rules = RoleAccess(roles={"admin": admin_role()}, bindings=(binding,))
    assert rules.permits(User("mary"), write())
    assert rules.permits(User("x", ("ops",)), write())
    assert not rules.permits(ANONYMOUS, write())
    assert not rules.permits(User("ops", ("mary",)), write())


def test_the_role_of_a_first_start_is_kongs() -> None:
    assert KIND.render(admin_role()) == {
        "rules": [
            {
                "access": [
                    "CREATE",
                    "UPDATE",
                    "DELETE",
                    "GENERATE_DATAPLANE_TOKEN",
                    "GENERATE_USER_TOKEN",
                    "GENERATE_ZONE_CP_TOKEN",
                    "GENERATE_ZONE_TOKEN",
                ]
            }
        ]
    }


def test_without_a_role_nobody_writes_not_even_the_administrator() -> None:
    rules = RoleAccess(roles={}, bindings=())
    denied = refusal_of(rules, ADMIN, write())
    assert denied is not None
    assert denied.detail == f'user "{ADMIN}" cannot access the resource of type "MeshTimeout"'


def test_a_binding_to_a_role_that_is_gone_gives_nothing() -> None:
    assert not RoleAccess(roles={}, bindings=(TO_JOHN,)).permits(KNOWN, write())


def test_a_subject_of_an_unknown_type_is_nobody() -> None:
    binding = AccessRoleBinding(subjects=(Subject(type="Robot", name="john"),), roles=("admin",))
    rules = RoleAccess(roles={"admin": admin_role()}, bindings=(binding,))
    assert not rules.permits(User("john", ("john",)), write())


def test_reading_and_looking_stay_as_the_lists_have_them() -> None:
    rules = role({"access": ["CREATE"]})
    assert rules.permits(ANONYMOUS, ReadResource("Mesh"))
    assert rules.permits(ANONYMOUS, View.STATS)
    assert not rules.permits(KNOWN, ReadResource("Secret"))
    assert rules.permits(ADMIN, ReadResource("Secret"))
    closed = RoleAccess(roles={}, bindings=(), readers=StaticAccess(view_stats=Grant()))
    assert not closed.permits(ADMIN, View.STATS)


def test_who_may_be_anybody_by_tokens_reads_secrets_too() -> None:
    for rule, reads in (
        ({"access": ["GENERATE_USER_TOKEN"]}, True),
        ({"access": ["CREATE", "UPDATE", "DELETE", "GENERATE_DATAPLANE_TOKEN"]}, False),
        ({"access": ["GENERATE_USER_TOKEN"], "mesh": "default"}, False),
    ):
        assert role(rule).permits(KNOWN, ReadResource("Secret")) is reads, rule
        assert not role(rule).permits(ANONYMOUS, ReadResource("Secret"))


def test_secrets_are_written_by_role() -> None:
    assert role({"access": ["CREATE"], "types": ["Secret"]}).permits(KNOWN, write("Secret"))


@pytest.mark.parametrize("verb", Verb)
def test_a_rule_grants_what_it_lists(verb: Verb) -> None:
    for listed in Verb:
        assert role({"access": [listed.value]}).permits(KNOWN, write(verb=verb)) is (listed is verb)


def test_a_rule_is_for_its_types_names_and_mesh() -> None:
    assert creates({"types": ["MeshTimeout", "MeshRetry"]}, write())
    assert not creates({"types": ["MeshRetry"]}, write())
    assert creates({"names": ["res-1"]}, write())
    assert not creates({"names": ["res"]}, write())
    assert creates({"mesh": "default"}, write())
    assert creates({"mesh": "*"}, write())
    assert not creates({"mesh": "other"}, write())


def test_a_rule_for_a_mesh_is_for_the_mesh_itself_and_for_nothing_global() -> None:
    assert creates({"mesh": "payments"}, write("Mesh", mesh="", name="payments"))
    assert not creates({"mesh": "payments"}, write("Mesh", mesh="", name="default"))
    assert not creates({"mesh": "payments"}, write("Zone", mesh="", name="payments"))
    assert creates({}, write("Zone", mesh="", name="east"))


def test_every_mesh_is_no_more_than_the_meshes() -> None:
    every = {"mesh": "*"}
    assert creates(every, write("Mesh", mesh="", name="payments"))
    for row in TYPES.values():
        if row.name != "Mesh":
            mesh = "default" if row.is_mesh_scoped else ""
            assert creates(every, write(row.name, mesh=mesh)) is row.is_mesh_scoped, row.name
            assert creates({}, write(row.name, mesh=mesh)), row.name
    tokens = ["GENERATE_USER_TOKEN", "GENERATE_ZONE_TOKEN", "GENERATE_ZONE_CP_TOKEN"]
    rules = role({"access": [*tokens, "GENERATE_DATAPLANE_TOKEN"], **every})
    assert rules.permits(KNOWN, IssueDataplaneToken(mesh="payments", tags={}))
    for unread in (False, True):
        assert not rules.permits(KNOWN, IssueUserToken(unread=unread))
        assert not rules.permits(KNOWN, IssueZoneToken(zone="z", scope=("cp",), unread=unread))
        assert not rules.permits(KNOWN, IssueZoneToken(zone="z", scope=("egress",), unread=unread))
    assert not rules.permits(KNOWN, ReadResource("GlobalSecret"))


def test_one_of_several_rules_is_enough_and_their_parts_do_not_mix() -> None:
    rules = role(
        {"access": ["CREATE"], "types": ["MeshRetry"]},
        {"access": ["DELETE"], "types": ["MeshTimeout"]},
    )
    assert rules.permits(KNOWN, write("MeshRetry"))
    assert rules.permits(KNOWN, write("MeshTimeout", verb=Verb.DELETE))
    assert not rules.permits(KNOWN, write("MeshTimeout"))
    assert not rules.permits(KNOWN, write("MeshRetry", verb=Verb.DELETE))


@pytest.mark.parametrize(
    ("access", "scope", "fits"),
    [
        (["GENERATE_ZONE_TOKEN"], ("ingress", "egress"), True),
        (["GENERATE_ZONE_TOKEN"], ("cp",), False),
        (["GENERATE_ZONE_TOKEN"], ("ingress", "cp"), False),
        (["GENERATE_ZONE_CP_TOKEN"], ("cp",), True),
        (["GENERATE_ZONE_CP_TOKEN"], ("ingress",), False),
        (["GENERATE_ZONE_CP_TOKEN"], (), False),
        (["GENERATE_ZONE_CP_TOKEN", "GENERATE_ZONE_TOKEN"], ("cp", "egress"), True),
    ],
)
def test_a_token_for_a_zones_control_plane_is_a_right_of_its_own(
    access: list[str], scope: tuple[str, ...], fits: bool
) -> None:
    assert role({"access": access}).permits(KNOWN, IssueZoneToken(zone="z", scope=scope)) is fits


def test_a_rule_for_one_mesh_gives_no_tokens_of_users_or_zones() -> None:
    rules = role({"access": ["GENERATE_USER_TOKEN", "GENERATE_ZONE_TOKEN"], "mesh": "default"})
    assert not rules.permits(KNOWN, IssueUserToken())
    assert not rules.permits(KNOWN, IssueZoneToken(zone="z", scope=("ingress",)))
    assert role({"access": ["GENERATE_USER_TOKEN"]}).permits(KNOWN, IssueUserToken())


def test_a_user_without_a_binding_has_none_of_it() -> None:
    assert not role({"access": ["CREATE"]}).permits(User("mary", ("john",)), write())
