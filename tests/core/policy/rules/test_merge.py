"""Confs merge as JSON merge patches, but for lists that are joined.

Source: docs/wire/policies.md#merging
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.merge import merge_confs, merge_keyed_confs


def test_what_comes_later_overrides_member_by_member() -> None:
    merged = merge_confs(
        [
            {"idleTimeout": "20s", "http": {"requestTimeout": "5s", "streamIdleTimeout": "1s"}},
            {"connectionTimeout": "2s", "http": {"requestTimeout": "7s"}},
        ]
    )

    assert merged == {
        "idleTimeout": "20s",
        "connectionTimeout": "2s",
        "http": {"requestTimeout": "7s", "streamIdleTimeout": "1s"},
    }


def test_a_list_replaces_the_one_before() -> None:
    assert merge_confs([{"backends": [1, 2]}, {"backends": [3]}]) == {"backends": [3]}


def test_an_empty_list_replaces_too() -> None:
    assert merge_confs([{"backends": [1]}, {"backends": []}]) == {"backends": []}


def test_a_null_takes_away_what_was_before_and_never_shows() -> None:
    assert merge_confs([{"a": 1, "b": {"c": 1}}, {"a": None, "b": {"c": None, "d": 2}}]) == {
        "b": {"d": 2}
    }


def test_an_object_replaces_what_is_none_and_the_other_way_round() -> None:
    assert merge_confs([{"a": 1, "b": {"c": 1}}, {"a": {"d": 2}, "b": 3}]) == {
        "a": {"d": 2},
        "b": 3,
    }


def test_append_lists_are_joined_wherever_they_stand() -> None:
    merged = merge_confs(
        [
            {"appendMatch": ["a"], "sidecar": {"profiles": {"appendProfiles": [1]}}},
            {"appendMatch": ["b"]},
            {"appendMatch": ["c"], "sidecar": {"profiles": {"appendProfiles": [2]}}},
        ]
    )

    assert merged == {
        "appendMatch": ["a", "b", "c"],
        "sidecar": {"profiles": {"appendProfiles": [1, 2]}},
    }


def test_nothing_merges_to_nothing() -> None:
    assert merge_confs([]) == {}
    assert merge_keyed_confs([]) == ()


def _rule(path: str, **default: object) -> dict[str, Any]:
    return {"matches": [{"path": path}], "default": default}


def test_rules_with_equal_matches_are_one() -> None:
    low = {"rules": [_rule("/a", filters=[1], backendRefs=[1])]}
    high = {"rules": [_rule("/a", backendRefs=[2])]}

    assert merge_keyed_confs([low, high]) == (
        {"rules": [_rule("/a", filters=[1], backendRefs=[2])]},
    )


def test_rules_of_the_most_important_conf_stand_first_in_their_order() -> None:
    low = {"rules": [_rule("/a", from_="low"), _rule("/b", from_="low")]}
    high = {"rules": [_rule("/c", from_="high"), _rule("/b", from_="high")]}

    (merged,) = merge_keyed_confs([low, high])
    assert merged["rules"] == [
        _rule("/c", from_="high"),
        _rule("/b", from_="high"),
        _rule("/a", from_="low"),
    ]


def test_within_one_conf_the_first_rule_with_the_same_matches_counts() -> None:
    (merged,) = merge_keyed_confs([{"rules": [_rule("/a", x=1), _rule("/a", x=2, y=2)]}])

    assert merged["rules"] == [_rule("/a", x=1, y=2)]


def test_a_route_has_one_conf_a_hostname() -> None:
    both = {"hostnames": ["a.com", "b.com"], "rules": [_rule("/", x=1)]}
    one = {"hostnames": ["b.com"], "rules": [_rule("/", x=2)]}
    any_host = {"rules": [_rule("/", x=3)]}

    assert merge_keyed_confs([both, one, any_host]) == (
        {"hostnames": ["a.com"], "rules": [_rule("/", x=1)]},
        {"hostnames": ["b.com"], "rules": [_rule("/", x=2)]},
        {"rules": [_rule("/", x=3)]},
    )


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
MEMBERS = st.sampled_from(["a", "b", "c", "backends"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=8,
)
CONFS = st.dictionaries(MEMBERS, VALUES, max_size=3)


@given(confs=st.lists(CONFS, max_size=4))
def test_merging_again_changes_nothing(confs: list[dict[str, Any]]) -> None:
    merged = merge_confs(confs)

    assert merge_confs([merged]) == merged
    assert merge_confs([merged, merged]) == merged


@given(first=st.lists(CONFS, max_size=3), second=st.lists(CONFS, max_size=3))
def test_confs_on_top_of_a_merged_one_merge_as_if_all_were_merged_at_once(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    assert merge_confs([merge_confs(first), *second]) == merge_confs([*first, *second])


@given(confs=st.lists(CONFS, max_size=4))
def test_merging_leaves_the_confs_alone(confs: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(confs)

    merge_confs(confs)

    assert confs == before


@given(confs=st.lists(CONFS, max_size=3))
def test_the_order_of_members_does_not_matter(confs: list[dict[str, Any]]) -> None:
    turned = [dict(reversed(conf.items())) for conf in confs]

    assert merge_confs(turned) == merge_confs(confs)
