"""Who said each member of a merged conf, and who lost (docs/wire/policies.md#merging)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.destinations import Destinations
from kong_mesh_cp.core.policy.rules.entries import Contribution, merged, to_entries
from kong_mesh_cp.core.policy.rules.inbound_rules import inbound_rules
from kong_mesh_cp.core.policy.rules.policy import Conf
from kong_mesh_cp.core.policy.rules.resource_rules import resource_rules
from kong_mesh_cp.core.policy.rules.said_members import SaidConf, said_confs, shown_path
from kong_mesh_cp.core.policy.rules.subset_rules import negated_rules, service_rules
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH
from support.specs.policies import DEFAULT_MESH, policy, service, subset, target


def said(*confs: Conf, of: str = "MeshTimeout") -> SaidConf:
    """Of policies called a, b, c …, the last one with the last word."""
    policies = [
        policy(name, of=of, to=[(WHOLE_MESH, conf)])
        for name, conf in zip("abcdef", confs, strict=False)
    ]
    (found,) = said_confs(list(to_entries(policies)))
    return found


def speakers(found: SaidConf) -> dict[str, str]:
    return {shown_path(each.path): each.by.policy.meta.name for each in found.members}


def losses(found: SaidConf) -> dict[str, list[tuple[object, str, str]]]:
    return {
        shown_path(member.path): [
            (each.value, each.by.policy.meta.name, each.to.policy.meta.name) for each in member.lost
        ]
        for member in found.members
        if member.lost
    }


def test_each_member_is_said_by_who_said_it_last() -> None:
    found = said(
        {"idleTimeout": "1s", "http": {"requestTimeout": "1s", "maxStreamDuration": "1s"}},
        {"http": {"requestTimeout": "2s"}},
        {"http": {"requestTimeout": "3s"}},
    )
    assert speakers(found) == {
        "idleTimeout": "a",
        "http.requestTimeout": "c",
        "http.maxStreamDuration": "a",
    }
    assert losses(found) == {"http.requestTimeout": [("1s", "a", "b"), ("2s", "b", "c")]}


def test_who_says_the_same_again_has_the_last_word_all_the_same() -> None:
    found = said({"idleTimeout": "1s"}, {"idleTimeout": "1s"})
    assert speakers(found) == {"idleTimeout": "b"}
    assert losses(found) == {"idleTimeout": [("1s", "a", "b")]}


def test_a_list_loses_as_a_whole_and_items_of_joined_lists_are_told_apart() -> None:
    found = said(
        {"retryOn": ["5xx", "Reset"], "appendMatch": [1]}, {"retryOn": ["5xx"], "appendMatch": [2]}
    )
    assert speakers(found) == {"retryOn": "b", "appendMatch[0]": "a", "appendMatch[1]": "b"}
    assert losses(found) == {"retryOn": [(["5xx", "Reset"], "a", "b")]}


def test_what_is_said_of_another_form_of_a_member_takes_its_place() -> None:
    assert losses(said({"limit": {"value": 1}}, {"limit": 2})) == {"limit": [(1, "a", "b")]}
    assert losses(said({"limit": 2}, {"limit": {"value": 1}})) == {"limit.value": [(2, "a", "b")]}


def test_an_empty_object_is_said_and_loses_nothing_when_it_is_filled() -> None:
    assert speakers(said({"http": {}})) == {"http": "a"}
    found = said({"http": {}}, {"http": {"requestTimeout": "1s"}})
    assert (speakers(found), losses(found)) == ({"http.requestTimeout": "b"}, {})


def test_a_null_takes_away_and_leaves_nothing() -> None:
    found = said({"idleTimeout": "1s"}, {"idleTimeout": None})
    assert found.members == ()
    (lost,) = found.taken_away
    assert (lost.value, lost.by.policy.meta.name, lost.to.policy.meta.name) == ("1s", "a", "b")


def _rule(path: str, **default: object) -> dict[str, Any]:
    return {"matches": [{"path": path}], "default": default}


def test_rules_of_routes_are_told_apart_by_their_matches() -> None:
    low = {"rules": [_rule("/a", filters=[1], backendRefs=[1]), _rule("/b", filters=[3])]}
    high = {"rules": [_rule("/a", backendRefs=[2])]}
    found = said(low, high, of="MeshHTTPRoute")
    assert speakers(found) == {
        "rules[0].matches": "b",
        "rules[0].default.filters": "a",
        "rules[0].default.backendRefs": "b",
        "rules[1].matches": "a",
        "rules[1].default.filters": "a",
    }
    assert losses(found) == {"rules[0].default.backendRefs": [([1], "a", "b")]}


def test_within_one_conf_the_first_rule_with_the_same_matches_has_the_last_word() -> None:
    found = said({"rules": [_rule("/a", x=1), _rule("/a", x=2)]}, of="MeshHTTPRoute")
    assert losses(found) == {"rules[0].default.x": [(2, "a", "a")]}


def test_nothing_is_said_by_nobody() -> None:
    assert said_confs([]) == ()


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
MEMBERS = st.sampled_from(["a", "b", "appendC", "d"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=8,
)
CONFS = st.dictionaries(MEMBERS, VALUES, max_size=3)
RULES = st.lists(
    st.fixed_dictionaries({"default": CONFS}, optional={"matches": st.sampled_from([[1], [2]])}),
    max_size=3,
)
ROUTES = st.fixed_dictionaries(
    {"rules": RULES}, optional={"hostnames": st.lists(st.sampled_from(["x", "y"]), max_size=2)}
)


def _folded(contributions: list[Contribution]) -> tuple[Conf, ...]:
    return tuple(each.conf for each in said_confs(contributions))


@given(confs=st.lists(CONFS, min_size=1, max_size=5))
def test_the_members_come_to_the_very_conf_that_merging_gives(confs: list[Conf]) -> None:
    entries = list(to_entries(policy(to=[(WHOLE_MESH, each)]) for each in confs))
    assert _folded(entries) == merged(entries)


@given(confs=st.lists(ROUTES, min_size=1, max_size=4))
def test_so_do_those_of_routes(confs: list[Conf]) -> None:
    entries = list(
        to_entries(policy(of="MeshHTTPRoute", to=[(WHOLE_MESH, each)]) for each in confs)
    )
    assert _folded(entries) == merged(entries)


TARGETS = st.sampled_from(
    [
        WHOLE_MESH,
        target("MeshService", "web"),
        target("MeshService", "api"),
        subset(team="a"),
        target("MeshServiceSubset", "web", tags={"v": "1"}),
    ]
)
ENTRIES = st.lists(st.tuples(TARGETS, CONFS), max_size=3)


@given(lists=st.lists(ENTRIES, max_size=4))
def test_rules_keep_what_they_were_merged_from(
    lists: list[list[tuple[Any, Conf]]],
) -> None:
    policies = [policy(f"p{index}", to=each) for index, each in enumerate(lists)]
    entries = list(to_entries(policies))
    for rule in (*service_rules(entries), *negated_rules(entries)):
        assert _folded(list(rule.entries)) == (rule.conf,)
    everything = Destinations([DEFAULT_MESH, service("web"), service("api")])
    for found in resource_rules(policies, everything).values():
        assert _folded(list(found.entries)) == found.confs
    for inbound in inbound_rules([policy(rules=[conf for _, conf in each]) for each in lists]):
        assert _folded(list(inbound.entries)) == inbound.confs
