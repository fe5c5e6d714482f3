"""The order in which policies are merged: what comes later overrides.

Source: docs/wire/policies.md#order
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.entries import to_entries
from kong_mesh_cp.core.policy.rules.policy import Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_entries, sorted_policies
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH
from support.specs.policies import Entries, names, policy, target

ORIGIN = "kuma.io/origin"
ROLE = "kuma.io/policy-role"
ASCENDING_TARGETS = [
    WHOLE_MESH,
    target("Dataplane"),
    target("Dataplane", section_name="main"),
    target("Dataplane", labels={"app": "web"}),
    target("Dataplane", labels={"app": "web"}, section_name="main"),
    target("Dataplane", "dp-1"),
    target("Dataplane", "dp-1", section_name="main"),
    target("MeshSubset", tags={"team": "a"}),
    target("MeshGateway", "edge"),
    target("MeshGateway", "edge", tags={"listener": "one"}),
    target("MeshService", "web"),
    target("MeshServiceSubset", "web"),
    target("MeshHTTPRoute", "route"),
]


@pytest.mark.parametrize("step", range(len(ASCENDING_TARGETS) - 1))
def test_the_closer_target_overrides(step: int) -> None:
    low, high = ASCENDING_TARGETS[step], ASCENDING_TARGETS[step + 1]

    # The names would have it the other way round.
    assert names(sorted_policies([policy("a", low), policy("b", high)])) == ["a", "b"]
    assert names(sorted_policies([policy("b", high), policy("a", low)])) == ["a", "b"]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ({ORIGIN: "global"}, {}),
        ({}, {ORIGIN: "zone"}),
        ({ORIGIN: "global"}, {ORIGIN: "zone"}),
        ({ROLE: "system"}, {ROLE: "producer"}),
        ({}, {ROLE: "producer"}),
        ({ROLE: "producer"}, {ROLE: "consumer"}),
        ({ROLE: "consumer"}, {ROLE: "workload-owner"}),
        ({ROLE: "workload-owner"}, {ORIGIN: "zone"}),  # origin counts before role
    ],
)
def test_the_closer_author_overrides(low: dict[str, str], high: dict[str, str]) -> None:
    assert names(sorted_policies([policy("b", labels=high), policy("a", labels=low)])) == ["a", "b"]


def test_of_equal_rank_the_alphabetically_first_name_overrides() -> None:
    assert names(sorted_policies([policy("a"), policy("c"), policy("b")])) == ["c", "b", "a"]


def test_the_name_that_counts_is_the_one_the_user_gave() -> None:
    synced = policy("zzz-4w55b97x462v7vdz", labels={"kuma.io/display-name": "aaa"})

    assert names(sorted_policies([synced, policy("bbb")])) == ["bbb", "zzz-4w55b97x462v7vdz"]


def test_a_zone_policy_overrides_the_unlabelled_defaults_whatever_its_name() -> None:
    ours = policy("zzz", labels={ORIGIN: "zone"})

    assert names(sorted_policies([ours, policy("mesh-timeout-all-default")]))[-1] == "zzz"


def test_entries_sort_by_what_they_are_about_before_the_name() -> None:
    mesh, service = target("Mesh"), target("MeshService", "web")
    port = target("MeshService", "web", section_name="http")
    external = target("MeshExternalService", "db")
    everywhere = target("MeshMultiZoneService", "web")
    entries: Entries = [(each, {}) for each in (everywhere, port, external, mesh, service)]

    found = sorted_entries(to_entries([policy("a", to=entries), policy("b", to=[(mesh, {})])]))

    assert [(each.policy.meta.name, each.target) for each in found] == [
        ("b", mesh),
        ("a", mesh),
        ("a", service),
        ("a", port),
        ("a", external),
        ("a", everywhere),
    ]


TARGETS = st.sampled_from(ASCENDING_TARGETS)
LABELS = st.fixed_dictionaries(
    {},
    optional={
        ORIGIN: st.sampled_from(["global", "zone"]),
        ROLE: st.sampled_from(["system", "producer", "consumer", "workload-owner"]),
    },
)
POLICIES = st.lists(
    st.builds(
        lambda name, about, labels: policy(name, about, labels=labels),
        st.text("abc", min_size=1, max_size=2),
        TARGETS,
        LABELS,
    ),
    max_size=6,
    unique_by=lambda each: each.meta.name,
)


@given(policies=POLICIES, data=st.data())
def test_the_order_in_which_policies_are_listed_does_not_matter(
    policies: list[Policy], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(policies))

    assert sorted_policies(shuffled) == sorted_policies(policies)


def test_tags_of_other_kinds_than_gateways_do_not_count() -> None:
    narrow = policy("b", target("MeshSubset", tags={"team": "a", "env": "dev"}))
    wide = policy("a", target("MeshSubset", tags={"team": "a"}))

    assert names(sorted_policies([narrow, wide])) == ["b", "a"]
