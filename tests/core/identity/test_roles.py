"""Who may do what by roles and bindings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.access import (
    Grant,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    ReadResource,
    StaticAccess,
    Verb,
    View,
    WriteResource,
    judge,
)
from kong_mesh_cp.core.identity.roles import RoleAccess, admin_binding, admin_role
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, User
from kong_mesh_cp.core.resources.kinds.access_role import (
    ACCESSES,
    KIND,
    AccessRoleBinding,
    Subject,
)
from kong_mesh_cp.core.resources.registry import TYPES
from support.identity import KNOWN

Body = Mapping[str, object]
TO_JOHN = AccessRoleBinding(subjects=(Subject(type="User", name="john"),), roles=("role",))


def role(*rules: Body) -> RoleAccess:
    """John has these rules."""
    parsed = KIND.parse({"type": "AccessRole", "name": "role", "rules": list(rules)})
    assert not KIND.validate(parsed)
    return RoleAccess(roles={"role": parsed}, bindings=(TO_JOHN,))


def write(
    type_name: str = "MeshTimeout",
    *bodies: Body,
    verb: Verb = Verb.CREATE,
    mesh: str = "default",
    name: str = "res-1",
) -> WriteResource:
    return WriteResource(verb=verb, type=type_name, mesh=mesh, name=name, bodies=bodies)


def creates(rule: Body, action: WriteResource) -> bool:
    return role({"access": ["CREATE"], **rule}).permits(KNOWN, action)


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
    denied = judge(rules, ADMIN, write())
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


def policy(
    target: Body | None = None,
    *,
    to: list[Body] | None = None,
    from_: list[Body] | None = None,
    rules: int = 0,
) -> dict[str, object]:
    spec: dict[str, object] = {"rules": [{"default": {}}] * rules}
    if target is not None:
        spec["targetRef"] = target
    for name, refs in (("to", to), ("from", from_)):
        if refs is not None:
            spec[name] = [{"targetRef": ref} for ref in refs]
    return {"type": "MeshTimeout", "spec": spec}


WEB = {"kind": "MeshService", "name": "web"}
API = {"kind": "MeshService", "name": "api"}
TEAM = {"kind": "MeshSubset", "tags": {"team": "a", "env": "prod"}}


@pytest.mark.parametrize(
    ("condition", "target", "fits"),
    [
        ({"kind": "MeshService", "name": "web"}, WEB, True),
        ({"kind": "MeshService"}, WEB, True),
        ({"name": "web"}, WEB, True),
        ({}, WEB, False),  # asks for nothing
        ({"mesh": "*"}, WEB, False),
        ({"tags": {}}, WEB, False),
        (
            {"tags": {"team": "a"}},
            {"kind": "MeshGateway", "name": "g", "tags": {"team": "a"}},
            False,
        ),
        (
            {"kind": "MeshGateway", "tags": {"team": "a"}},
            {"kind": "MeshGateway", "name": "g", "tags": {"team": "a"}},
            True,
        ),
        ({"kind": "MeshService", "name": "web"}, API, False),
        ({"kind": "MeshSubset"}, WEB, False),
        ({"kind": "Mesh"}, {"kind": "Mesh"}, True),
        ({"kind": "Mesh"}, None, True),  # without a targetRef a policy is for the whole mesh
        ({"kind": "MeshService", "name": "web"}, None, False),
        ({"kind": "MeshSubset", "tags": {"team": "a"}}, TEAM, True),
        ({"kind": "MeshSubset", "tags": {"team": "*"}}, TEAM, True),
        ({"kind": "MeshSubset", "tags": {"team": "b"}}, TEAM, False),
        ({"kind": "MeshSubset", "tags": {"zone": "*"}}, TEAM, False),
        ({"kind": "MeshService", "name": "web", "mesh": "default"}, WEB, True),
        ({"kind": "MeshService", "name": "web", "mesh": "other"}, WEB, False),
        ({"kind": "MeshService", "mesh": "other"}, {**WEB, "mesh": "other"}, True),
    ],
)
def test_a_condition_on_the_target_of_a_policy(
    condition: Body, target: Body | None, fits: bool
) -> None:
    assert creates({"when": [{"targetRef": condition}]}, write("MeshTimeout", policy(target))) is (
        fits
    )


@pytest.mark.parametrize(
    ("to", "fits"),
    [
        ([API], True),
        ([API, API], True),
        ([API, WEB], False),
        ([{}], False),
        ([], False),
        (None, False),
    ],
)
def test_every_entry_of_to_has_to_be_covered(to: list[Body] | None, fits: bool) -> None:
    when = [{"targetRef": WEB, "to": {"targetRef": API}}]
    assert creates({"when": when}, write("MeshTimeout", policy(WEB, to=to))) is fits


def test_every_entry_of_from_has_to_be_covered_and_rules_are_for_every_client() -> None:
    when = [{"from": {"targetRef": {"kind": "MeshSubset"}}}]
    covered = policy(WEB, from_=[TEAM])
    wider = policy(WEB, from_=[TEAM, {"kind": "Mesh"}])
    rules = policy(WEB, rules=1)
    for body, fits in ((covered, True), (wider, False), (rules, False)):
        assert creates({"when": when}, write("MeshTimeout", body)) is fits


def test_one_of_several_conditions_is_enough() -> None:
    when = [{"targetRef": WEB}, {"targetRef": API}]
    assert creates({"when": when}, write("MeshTimeout", policy(API)))
    assert not creates({"when": when}, write("MeshTimeout", policy(TEAM)))
    empty: list[Body] = [{}, {"targetRef": {}}, {"to": {}}, {"dpToken": {"tags": []}}]
    for nothing in empty:
        assert not creates(
            {"when": [{"targetRef": WEB}, nothing]}, write("MeshTimeout", policy(TEAM))
        )


def test_a_condition_on_one_direction_is_not_fulfilled_by_what_also_says_something_of_the_other() -> (
    None
):
    to, from_ = {"to": {"targetRef": API}}, {"from": {"targetRef": TEAM}}
    only_to, only_from = policy(to=[API]), policy(from_=[TEAM])
    both, ruled = policy(to=[API], from_=[TEAM]), policy(to=[API], rules=1)
    for when, body, fits in (
        (to, only_to, True),
        (to, both, False),
        (to, ruled, False),
        (to, only_from, False),
        (from_, only_from, True),
        (from_, both, False),
        (from_, only_to, False),
        ({**to, **from_}, both, True),
        ({**to, **from_}, ruled, False),
        ({**to, **from_}, only_to, False),
    ):
        assert creates({"when": [when]}, write("MeshTimeout", body)) is fits, (when, body)


def test_a_policy_of_others_cannot_be_taken_over_by_changing_its_target() -> None:
    rules = role({"access": ["UPDATE"], "when": [{"targetRef": WEB}]})
    mine, theirs = policy(WEB), policy(API)
    assert rules.permits(KNOWN, write("MeshTimeout", mine, mine, verb=Verb.UPDATE))
    assert not rules.permits(KNOWN, write("MeshTimeout", theirs, mine, verb=Verb.UPDATE))
    assert not rules.permits(KNOWN, write("MeshTimeout", mine, theirs, verb=Verb.UPDATE))


def test_a_condition_needs_something_to_look_at() -> None:
    assert not creates({"when": [{"targetRef": WEB}]}, write("MeshTimeout"))


def legacy(**selectors: list[dict[str, str]]) -> dict[str, object]:
    return {name: [{"match": tags} for tags in entries] for name, entries in selectors.items()}


@pytest.mark.parametrize(
    ("condition", "body", "fits"),
    [
        ({"sources": {"match": {"s": "web"}}}, legacy(sources=[{"s": "web", "v": "1"}]), True),
        ({"sources": {"match": {"s": "web"}}}, legacy(sources=[{"s": "web"}, {"s": "x"}]), False),
        ({"sources": {"match": {"s": "*"}}}, legacy(sources=[{"s": "x"}]), True),
        ({"sources": {"match": {"s": "web"}}}, legacy(sources=[{"s": "*"}]), False),
        ({"sources": {"match": {"s": "web"}}}, legacy(destinations=[{"s": "web"}]), False),
        ({"sources": {"match": {"s": "web"}}}, {}, False),
        (
            {"sources": {"match": {"s": "web"}}, "destinations": {"match": {"s": "api"}}},
            legacy(sources=[{"s": "web"}], destinations=[{"s": "api"}]),
            True,
        ),
        (
            {"sources": {"match": {"s": "web"}}, "destinations": {"match": {"s": "api"}}},
            legacy(sources=[{"s": "web"}], destinations=[{"s": "web"}]),
            False,
        ),
        ({"selectors": {"match": {"s": "web"}}}, legacy(selectors=[{"s": "web"}]), True),
        ({"selectors": {"match": {"s": "web"}}}, legacy(selectors=[{}]), False),
        ({"selectors": {"match": {}}}, legacy(selectors=[{"s": "web"}]), False),
        ({"sources": {"match": {}}}, legacy(sources=[{"s": "web"}]), False),
        ({"sources": {}}, legacy(sources=[{"s": "web"}]), False),
        ({}, legacy(sources=[{"s": "web"}]), False),
        ({"targetRef": {"kind": "Mesh"}}, legacy(selectors=[{"s": "web"}]), False),
        ({"dpToken": {"tags": [{"name": "s", "value": "web"}]}}, policy(WEB), False),
    ],
)
def test_a_condition_on_the_selectors_of_a_policy(condition: Body, body: Body, fits: bool) -> None:
    assert creates({"when": [condition]}, write("TrafficRoute", body)) is fits


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ({"s": ("web",)}, True),
        ({"s": ("web", "api")}, True),
        ({"s": ("web",), "other": ("x",)}, True),
        ({"s": ("web", "db")}, False),
        ({"s": ()}, False),
        ({}, False),
        ({"t": ("web",)}, False),
    ],
)
def test_a_condition_on_the_tags_of_a_proxys_token(
    tags: Mapping[str, tuple[str, ...]], fits: bool
) -> None:
    allowed = [{"name": "s", "value": "web"}, {"name": "s", "value": "api"}]
    rules = role({"access": ["GENERATE_DATAPLANE_TOKEN"], "when": [{"dpToken": {"tags": allowed}}]})
    assert rules.permits(KNOWN, IssueDataplaneToken(mesh="default", tags=tags)) is fits


def test_any_value_of_a_tag_of_a_proxys_token_may_be_allowed() -> None:
    condition = {"dpToken": {"tags": [{"name": "s", "value": "*"}]}}
    rules = role({"access": ["GENERATE_DATAPLANE_TOKEN"], "when": [condition]})
    assert rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags={"s": ("x", "y")}))
    assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags={}))


def test_a_rule_for_tokens_of_proxies_is_for_its_mesh() -> None:
    rules = role({"access": ["GENERATE_DATAPLANE_TOKEN"], "mesh": "default"})
    assert rules.permits(KNOWN, IssueDataplaneToken(mesh="default", tags={}))
    assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="other", tags={}))


def test_every_tag_of_a_condition_has_to_be_in_a_proxys_token() -> None:
    tags = [{"name": "s", "value": "web"}, {"name": "team", "value": "a"}]
    rules = role({"access": ["GENERATE_DATAPLANE_TOKEN"], "when": [{"dpToken": {"tags": tags}}]})
    both = {"s": ("web",), "team": ("a",)}
    assert rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags=both))
    assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags={"s": ("web",)}))
    assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags={"team": ("a",)}))


def test_one_condition_and_one_rule_are_enough_for_a_token() -> None:
    web, api = ({"dpToken": {"tags": [{"name": "s", "value": value}]}} for value in ("web", "api"))
    rules = role(
        {"access": ["CREATE"]},
        {"access": ["GENERATE_DATAPLANE_TOKEN"], "when": [web, api]},
        {"access": ["GENERATE_USER_TOKEN"]},
        {"access": ["GENERATE_ZONE_TOKEN"]},
    )
    assert rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags={"s": ("api",)}))
    assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="m", tags={"s": ("db",)}))
    assert rules.permits(KNOWN, IssueUserToken())
    assert rules.permits(KNOWN, IssueZoneToken(zone="z", scope=("ingress",)))


def test_a_condition_that_asks_nothing_of_a_proxys_token_allows_none() -> None:
    empty: list[Body] = [{}, {"dpToken": {}}, {"dpToken": {"tags": []}}, {"sources": {}}]
    for nothing in empty:
        rules = role({"access": ["GENERATE_DATAPLANE_TOKEN"], "when": [nothing]})
        for tags in ({}, {"s": ("web",)}):
            assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="default", tags=tags)), nothing
        assert not rules.permits(KNOWN, IssueDataplaneToken(unread=True)), nothing


def test_a_condition_on_policies_is_none_on_tokens() -> None:
    rules = role({"access": ["GENERATE_DATAPLANE_TOKEN"], "when": [{"targetRef": WEB}]})
    assert not rules.permits(KNOWN, IssueDataplaneToken(mesh="default", tags={}))


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


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["spec", "to", "from", "rules", "targetRef", "sources", "tags"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=10,
    )
)
def test_no_body_breaks_the_decision(value: object) -> None:
    body: Body = {"spec": value, "sources": value, "selectors": value}
    when = [{"targetRef": WEB, "to": {"targetRef": API}, "sources": {"match": {"s": "web"}}}]
    assert not creates({"when": when}, write("MeshTimeout", body))


_TYPES = st.sampled_from(["MeshTimeout", "TrafficRoute", "Secret", "Mesh", "Zone"])
_MESHES = st.sampled_from(["", "*", "default", "other"])
_CONDITIONS = st.sampled_from(
    [
        {},
        {"targetRef": WEB},
        {"targetRef": {"kind": "Mesh"}},
        {"to": {"targetRef": API}},
        {"sources": {"match": {"s": "web"}}},
        {"dpToken": {"tags": [{"name": "s", "value": "web"}]}},
    ]
)
_RULES = st.fixed_dictionaries(
    {
        "access": st.lists(st.sampled_from(ACCESSES), min_size=1, max_size=3),
        "types": st.lists(_TYPES, max_size=2),
        "names": st.lists(st.sampled_from(["res-1", "default"]), max_size=1),
        "mesh": _MESHES,
        "when": st.lists(_CONDITIONS, max_size=2),
    }
)
_BODIES = st.sampled_from(
    [policy(WEB), policy(to=[API]), policy(), legacy(sources=[{"s": "web"}]), {}]
)
_WRITES = st.builds(
    WriteResource,
    verb=st.sampled_from(Verb),
    type=_TYPES,
    mesh=st.just("default"),
    name=st.sampled_from(["res-1", "default", "x"]),
    bodies=st.lists(_BODIES, max_size=2).map(tuple),
)
_TOKENS = st.builds(
    IssueDataplaneToken,
    mesh=st.sampled_from(["default", "other"]),
    tags=st.sampled_from([{}, {"s": ("web",)}, {"s": ("api",)}]),
) | st.builds(
    IssueZoneToken,
    zone=st.just("z"),
    scope=st.sampled_from([(), ("cp",), ("ingress",), ("cp", "egress")]),
)


@given(st.lists(_RULES, max_size=3), _WRITES | _TOKENS)
def test_who_is_permitted_anything_is_never_refused_before_it_is_read(
    rules: list[Body], action: WriteResource | IssueDataplaneToken | IssueZoneToken
) -> None:
    for access in (role(*rules), StaticAccess()):
        for user in (KNOWN, ADMIN, ANONYMOUS):
            if access.permits(user, action):
                assert access.permits(user, replace(action, unread=True))


@pytest.mark.parametrize("type_name", ["Secret", "Mesh", "Zone", "Dataplane", "MeshTimeout"])
def test_a_condition_that_no_such_resource_fulfils_refuses_before_anything_is_read(
    type_name: str,
) -> None:
    when = [{"sources": {"match": {"s": "web"}}}, {"targetRef": {}}, {}]
    rules = role({"access": ["CREATE"], "when": when})
    unread = replace(write(type_name), unread=True)
    assert not rules.permits(KNOWN, unread)
    assert rules.permits(KNOWN, replace(write("TrafficRoute"), unread=True))
    assert role({"access": ["CREATE"]}).permits(KNOWN, unread)
