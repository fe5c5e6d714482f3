"""Groups of proxies by tags, and how overlapping ones split.

Source: docs/wire/policies.md#rules-by-tags
"""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.subsets import (
    Subset,
    Tag,
    TooManySubsetsError,
    contains,
    positives,
    selects,
    split,
)
from kong_mesh_cp.core.policy.target_ref import tags_of
from support.specs.policies import subset, target


@pytest.mark.parametrize(
    ("reference", "tags"),
    [
        (target("Mesh"), {}),
        (subset(env="dev"), {"env": "dev"}),
        (target("MeshService", "web"), {"kuma.io/service": "web"}),
        (
            target("MeshServiceSubset", "web", tags={"v": "1"}),
            {"v": "1", "kuma.io/service": "web"},
        ),
        (target("MeshExternalService", "web"), None),
        (target("Dataplane", "dp-1"), None),
    ],
)
def test_a_target_means_those_with_its_tags(reference: object, tags: object) -> None:
    assert tags_of(reference) == tags  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selector", "tags", "selected"),
    [
        ({}, {}, True),
        ({}, {"a": "1"}, True),
        ({"a": "1"}, {"a": "1", "b": "2"}, True),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1", "b": "2"}, {"a": "1"}, False),
        ({"a": "*"}, {"a": "2"}, True),
        ({"a": "*"}, {}, False),
    ],
)
def test_a_selector_wants_all_of_its_tags(
    selector: dict[str, str], tags: dict[str, str], *, selected: bool
) -> None:
    assert selects(selector, tags) == selected


def test_a_negated_tag_means_all_others_even_those_without_the_tag() -> None:
    others = (Tag("env", "dev", negated=True),)

    assert contains(others, {"env": "prod"})
    assert contains(others, {})
    assert not contains(others, {"env": "dev"})


def test_one_group_splits_into_the_rest_and_itself() -> None:
    assert list(split([{"env": "dev"}])) == [
        (Tag("env", "dev", negated=True),),
        (Tag("env", "dev"),),
    ]


def test_everybody_does_not_split() -> None:
    assert list(split([{}, {}])) == [()]


def test_no_group_is_nothing_to_split() -> None:
    assert list(split([])) == []


def test_groups_that_exclude_each_other_split_apart() -> None:
    subsets = list(split([{"env": "dev"}, {"env": "prod"}]))

    assert [{tag.value for tag in each} for each in subsets] == [
        {"prod"},
        {"prod"},
        {"dev"},
        {"dev"},
    ]


def test_many_entries_that_exclude_each_other_are_cheap() -> None:
    assert len(list(split([{"app": f"app-{number}"} for number in range(2000)]))) == 4000


def test_twelve_tags_that_go_together_are_the_most() -> None:
    tags = [{f"tag-{number}": "v"} for number in range(12)]

    assert len(list(split(tags))) == 4096
    with pytest.raises(TooManySubsetsError, match="more than 4096 groups"):
        list(split([*tags, {"one": "more"}]))


def test_entries_that_exclude_each_other_make_at_most_16384_groups() -> None:
    apps = [{"app": f"app-{number}"} for number in range(8192)]

    assert len(list(split(apps))) == 16_384
    with pytest.raises(TooManySubsetsError, match="more than 16384 groups"):
        list(split([*apps, {"app": "more"}]))


def test_a_list_made_to_have_endless_combinations_is_refused() -> None:
    groups = [{f"key-{key}": str(value)} for key in range(24) for value in range(8)]

    with pytest.raises(TooManySubsetsError):
        list(split(groups))


def test_a_thousand_entries_that_all_overlap_do_not_exhaust_the_stack() -> None:
    assert list(split([{}] * 1500)) == [()]


KEYS = ["a", "b", "c"]
VALUES = ["1", "2"]
GROUPS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
CLIENTS = [
    {key: value for key, value in zip(KEYS, values, strict=True) if value}
    for values in product(["", "1", "2", "other"], repeat=len(KEYS))
]


@given(tags=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)))
def test_the_subsets_of_groups_that_go_together_are_disjoint_and_cover_everybody(
    tags: dict[str, str],
) -> None:
    subsets = list(split([{key: value} for key, value in tags.items()] + [{}]))

    for client in CLIENTS:
        assert sum(contains(each, client) for each in subsets) == 1


@given(groups=st.lists(GROUPS, min_size=1, max_size=5))
def test_every_client_finds_a_subset_with_exactly_the_tags_that_groups_ask_it_for(
    groups: list[dict[str, str]],
) -> None:
    subsets = list(split(groups))

    for client in CLIENTS:
        of_client = [group for group in groups if selects(group, client)]
        wanted = {key: value for group in of_client for key, value in group.items()}
        assert any(
            contains(each, client) and wanted.items() <= positives(each).items() for each in subsets
        )


@given(groups=st.lists(GROUPS, min_size=1, max_size=5))
def test_no_subset_asks_for_two_values_of_one_tag(groups: list[dict[str, str]]) -> None:
    for each in split(groups):
        assert len({tag.key for tag in each}) == len(each)


@given(groups=st.lists(GROUPS, max_size=5))
def test_no_two_subsets_are_the_same(groups: list[dict[str, str]]) -> None:
    subsets: list[Subset] = list(split(groups))

    assert all(one != other for one, other in combinations(subsets, 2))


@given(groups=st.lists(GROUPS, max_size=5), data=st.data())
def test_neither_order_of_tags_nor_of_groups_changes_what_comes_out(
    groups: list[dict[str, str]], data: st.DataObject
) -> None:
    turned = [dict(reversed(group.items())) for group in groups]

    assert list(split(turned)) == list(split(groups))
    assert set(split(data.draw(st.permutations(groups)))) == set(split(groups))
