"""When the conditions of a rule are fulfilled: by policies, and by the tokens of proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.access import (
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    StaticAccess,
    Verb,
    WriteResource,
)
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS
from kong_mesh_cp.core.resources.kinds.access_role import ACCESSES
from support.fakes.identity import KNOWN
from support.specs.roles import API, TEAM, WEB, Body, creates, legacy, policy, role, write


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
