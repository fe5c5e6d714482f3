"""Rules by tags, for clients and for services (docs/wire/policies.md#rules-by-tags)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.entries import to_entries
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.merge import merge_confs
from kong_mesh_cp.core.policy.rules.policy import Conf, Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_policies
from kong_mesh_cp.core.policy.rules.subset_rules import (
    SubsetRule,
    from_rules,
    proxy_rules,
    rule_for,
    service_rules,
)
from kong_mesh_cp.core.policy.rules.subsets import (
    Tag,
    TooManySubsetsError,
    positives,
    selects,
)
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef, tags_of
from support.specs.policies import policy, route, subset, target

ALLOW, DENY = {"action": "Allow"}, {"action": "Deny"}


def _permission(*entries: tuple[TargetRef, Conf], name: str = "mtp") -> Policy:
    return policy(name, of="MeshTrafficPermission", sources=entries)


def _shown(rules: Sequence[SubsetRule]) -> list[tuple[dict[str, str], Conf]]:
    return [
        ({tag.key: ("!" if tag.negated else "") + tag.value for tag in rule.subset}, rule.conf)
        for rule in rules
    ]


def test_all_are_denied_but_one() -> None:
    rules = from_rules([_permission((WHOLE_MESH, DENY), (subset(app="web"), ALLOW))])

    assert _shown(rules) == [({"app": "web"}, ALLOW), ({"app": "!web"}, DENY)]


def test_clients_that_no_entry_speaks_of_get_no_rule() -> None:
    rules = from_rules([_permission((subset(app="web"), ALLOW))])

    assert _shown(rules) == [({"app": "web"}, ALLOW)]
    assert rule_for(rules, {"app": "api"}) is None


def test_entries_for_several_tags_hold_for_each_way_to_carry_them() -> None:
    rules = from_rules([_permission((subset(app="web"), {"a": 1}), (subset(env="dev"), {"b": 2}))])

    assert _shown(rules) == [
        ({"app": "web", "env": "dev"}, {"a": 1, "b": 2}),
        ({"app": "!web", "env": "dev"}, {"b": 2}),
        ({"app": "web", "env": "!dev"}, {"a": 1}),
    ]


def test_a_rule_names_each_policy_once_in_the_order_of_merging() -> None:
    first = _permission((WHOLE_MESH, ALLOW), (WHOLE_MESH, DENY), name="first")
    second = _permission((WHOLE_MESH, ALLOW), name="second")

    (rule,) = from_rules([first, second])

    assert rule.conf == ALLOW
    assert [origin.meta.name for origin in rule.origins] == ["first", "second"]


def test_kinds_that_name_a_resource_have_no_rule_by_tags() -> None:
    to = [(target("MeshExternalService", "db"), {"a": 1}), (target("Mesh"), {"b": 2})]

    assert _shown(service_rules(list(to_entries([policy(to=to)])))) == [({}, {"b": 2})]


def test_a_named_service_comes_before_the_mesh_and_needs_no_negation() -> None:
    to = [
        (target("Mesh"), {"a": 1, "b": 1}),
        (target("MeshService", "web"), {"b": 2}),
        (target("MeshService", "api"), {"b": 3}),
    ]

    assert _shown(service_rules(list(to_entries([policy(to=to)])))) == [
        ({"kuma.io/service": "web"}, {"a": 1, "b": 2}),
        ({"kuma.io/service": "api"}, {"a": 1, "b": 3}),
        ({}, {"a": 1, "b": 1}),
    ]


def test_a_proxy_has_one_conf_however_many_policies() -> None:
    policies = [policy("b", of="MeshTrace", conf={"a": 1, "b": 1}), policy("a", conf={"b": 2})]

    (rule,) = proxy_rules(policies)

    assert (rule.subset, rule.conf) == ((), {"a": 1, "b": 2})
    assert [origin.meta.name for origin in rule.origins] == ["b", "a"]


def test_a_proxy_without_such_a_policy_has_none() -> None:
    assert proxy_rules([policy(to=[(WHOLE_MESH, {})])]) == ()


def test_the_policy_behind_the_backends_of_a_route_is_known() -> None:
    backends = {"default": {"backendRefs": [{"kind": "MeshService", "name": "v1"}]}}
    to = target("MeshService", "web")
    without = policy("plain", of="MeshTCPRoute", to=[(to, {"default": {}})])
    split = policy("split", of="MeshTCPRoute", to=[(to, backends)])

    (rule,) = service_rules(list(to_entries([split, without])))

    assert rule.origins[dict(rule.backend_origins)[""]].meta.name == "split"


def test_the_policy_behind_the_backends_of_each_http_rule_is_known() -> None:
    get, put, post = ([{"method": method}] for method in ("GET", "PUT", "POST"))
    backends: Conf = {"backendRefs": []}
    low = route("low", {"matches": get, "default": backends}, {"matches": put, "default": backends})
    high = route(
        "high",
        {"matches": get, "default": backends},
        {"matches": put, "default": {}},
        {"matches": post},
    )

    (rule,) = service_rules(list(to_entries([low, high])))

    assert {key: rule.origins[index].meta.name for key, index in rule.backend_origins} == {
        matches_hash(get): "high",
        matches_hash(put): "low",
    }


def test_a_long_list_of_services_costs_one_merge_each() -> None:
    entries = [(subset(app=f"app-{number}"), ALLOW) for number in range(3000)]

    rules = from_rules([_permission((WHOLE_MESH, DENY), *entries)])

    assert len(rules) == 6000
    assert {rule.conf["action"] for rule in rules[:3000]} == {"Allow"}
    assert {rule.conf["action"] for rule in rules[3000:]} == {"Deny"}


def test_too_many_tags_are_refused() -> None:
    entries = [(subset(**{f"tag{number}": "v"}), ALLOW) for number in range(15)]

    with pytest.raises(TooManySubsetsError):
        from_rules([_permission(*entries)])


KEYS = ["a", "b", "c"]
SINGLE_TAGS = st.builds(
    lambda key, value: subset(**{key: value}), st.sampled_from(KEYS), st.sampled_from("12")
)
CONFS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9), min_size=1, max_size=2)
ENTRIES = st.lists(st.tuples(st.just(WHOLE_MESH) | SINGLE_TAGS, CONFS), max_size=5)
CLIENTS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from("123"))


def _asked(policies: Sequence[Policy], client: dict[str, str]) -> Conf | None:
    """What the entries for `client` say, without any rules in between."""
    confs = [
        entry.conf
        for each in policies
        for entry in each.sources
        if selects(tags_of(entry.target) or {}, client)
    ]
    return merge_confs(confs) if confs else None


@given(entries=ENTRIES, client=CLIENTS)
def test_the_rule_of_a_client_says_what_the_entries_for_it_say(
    entries: list[tuple[TargetRef, Conf]], client: dict[str, str]
) -> None:
    policies = [_permission(*entries)]

    rule = rule_for(from_rules(policies), client)

    assert (rule.conf if rule else None) == _asked(policies, client)


@given(entries=ENTRIES)
def test_rules_that_ask_for_more_tags_stand_first(entries: list[tuple[TargetRef, Conf]]) -> None:
    asked = [len(positives(rule.subset)) for rule in from_rules([_permission(*entries)])]

    assert asked == sorted(asked, reverse=True)


@given(lists=st.lists(ENTRIES, max_size=3), data=st.data())
def test_the_order_in_which_policies_are_listed_does_not_matter(
    lists: list[list[tuple[TargetRef, Conf]]], data: st.DataObject
) -> None:
    policies = [_permission(*entries, name=f"p{index}") for index, entries in enumerate(lists)]
    shuffled = data.draw(st.permutations(policies))

    assert from_rules(sorted_policies(shuffled)) == from_rules(sorted_policies(policies))


def test_two_tags_in_one_entry_can_hide_a_rule_from_a_client_as_in_the_original() -> None:
    # The groups x=1 and x=2,y=1,z=1 exclude each other and split apart, so that a client with
    # x=1,y=1,z=1 meets a rule that asks for more tags before the one that was meant for it.
    entries = [(WHOLE_MESH, ALLOW), (subset(x="1"), DENY), (subset(x="2", y="1", z="1"), ALLOW)]
    rules = from_rules([_permission(*entries)])

    hiding = rule_for(rules, {"x": "1", "y": "1", "z": "1"})

    assert hiding is not None
    assert hiding.conf == ALLOW
    assert Tag("x", "2", negated=True) in hiding.subset
