"""Which metrics a MeshMetric lets through."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.metrics.exposition import ExpositionReader
from kuma_dp.metrics.profiles import Selection, Selector, compiled, without_own_clusters

RQ = "envoy_cluster_upstream_rq_total"
INTERNAL = "envoy_cluster_lb_subsets_active"


def test_without_a_profile_it_is_basic() -> None:
    assert Selection().widest == "Basic"
    assert Selection(profiles=("Unheard",)).widest == "None"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (RQ, True),
        ("envoy_cluster_membership_healthy", True),
        ("envoy_cluster_membership_excluded", False),
        ("envoy_server_live", True),
        ("my_envoy_server_live", False),
        ("envoy_dns_filter_kuma_dns_known", True),
        (INTERNAL, False),
    ],
)
def test_basic_has_the_golden_signals_and_what_dashboards_show(name: str, kept: bool) -> None:
    assert Selection(profiles=("Basic",)).test()(name) is kept


@pytest.mark.parametrize(
    ("profiles", "kept"),
    [
        (("All",), [RQ, INTERNAL]),
        (("None",), []),
        (("None", "Basic"), [RQ]),
        (("Basic", "All"), [RQ, INTERNAL]),
    ],
)
def test_of_several_profiles_the_widest_counts(profiles: tuple[str, ...], kept: list[str]) -> None:
    test = Selection(profiles=profiles).test()
    assert [name for name in (RQ, INTERNAL) if test(name)] == kept


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("Prefix", "envoy_cl"),
        ("Exact", RQ),
        ("Contains", "am_rq"),
        ("Regex", "clu.*_rq"),
        ("Regex", "^e"),
    ],
)
def test_an_exclusion_takes_out_and_an_inclusion_brings_back(kind: str, match: str) -> None:
    chosen = (Selector(kind, match),)
    assert not Selection(profiles=("All",), exclude=chosen).test()(RQ)
    assert Selection(profiles=("None",), include=chosen).test()(RQ)
    assert Selection(profiles=("All",), exclude=chosen, include=chosen).test()(RQ)


@pytest.mark.parametrize(
    ("kind", "match"), [("Prefix", "nvoy"), ("Exact", "envoy"), ("Regex", "["), ("Other", "e")]
)
def test_what_does_not_match_changes_nothing(kind: str, match: str) -> None:
    chosen = (Selector(kind, match),)
    assert Selection(profiles=("All",), exclude=chosen).test()(RQ)
    assert not Selection(profiles=("None",), include=chosen).test()(RQ)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a+)+$",
            "(a|aa)+$",
            "(a?){30}",
            "((a*)b?)*",
            "(a{2}){3}",
            "a?" * 30,
            ".*" * 5,
            "(a|a)" * 24,
            "(?:a|ab|b|ba)" * 24 + "$",
            "((a|a)(a|a|a)(a|a|a|a))" * 8,
            "[[:alpha:]]",
        ),
        *("[", "(", "a" * 2000, "(" * 1000, r"\pL"),
    ],
)
def test_an_expression_whose_work_might_not_end_is_not_run(pattern: str) -> None:
    assert compiled(pattern) is None
    assert Selection(include=(Selector("Regex", pattern),)).refused() == [pattern]


@pytest.mark.parametrize(
    "pattern",
    [
        "http2_.*",
        "^envoy_(cluster|http)_.*_rq$",
        r"a\(+",
        "[*+]+",
        "(?i)RQ",
        "(?:ab)+",
        ".*a.*b.*",
        "https?",
        "envoy_(cluster|http|listener)_(.*_rq|cx)_(total|active|xx)",
        "|".join(f"envoy_number_{number}" for number in range(60)),
        "a|" * 500 + "a",
    ],
)
def test_usual_expressions_are_run(pattern: str) -> None:
    assert compiled(pattern) is not None


PIECES = ["a", "b", "*", "+", "?", "(", ")", "|", "{2}", "{1,}", "[ab]", ".", "^", "$", "\\"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_run_has_an_end(pattern: str) -> None:
    """Measured in this process' own time, with a bound that no slow machine comes near."""
    found = compiled(pattern)
    if found is not None:
        begun = time.process_time()
        found.search("a" * 60 + "!")
        assert time.process_time() - begun < 5


def test_the_clusters_between_envoy_and_the_control_plane_are_left_out() -> None:
    names = [
        "backend",
        "ads_cluster",
        "access_log_sink",
        "kuma:envoy:admin",
        "_kuma:metrics:x",
        "tracing:a",
    ]
    reader = ExpositionReader()
    reader.feed("".join(f'rq{{envoy_cluster_name="{name}"}} 1\n' for name in names).encode())
    family = reader.families["rq"]
    without_own_clusters(family)
    assert [each.labels for each in family.samples] == [(("envoy_cluster_name", "backend"),)]
