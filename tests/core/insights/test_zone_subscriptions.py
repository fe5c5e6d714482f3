"""Connections of zones: docs/wire/zone-sync.md#zoneinsight."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kong_mesh_cp.core.discovery.exchanges import Counts
from kong_mesh_cp.core.insights.zone_subscriptions import (
    are_compatible,
    status_of,
    with_connection,
)
from kong_mesh_cp.core.resources.kinds.insights import ZoneInsight
from kong_mesh_cp.core.resources.kinds.subscriptions import KdsSubscription, ResponseCounts

FIRST = KdsSubscription(id="1", connect_time=1)
SECOND = KdsSubscription(id="2", connect_time=2)


def recorded(*connections: KdsSubscription, most: int = 10) -> ZoneInsight:
    insight = ZoneInsight()
    for each in connections:
        insight = with_connection(insight, each, subscriptions_max=most)
    return insight


def test_a_newer_connection_ends_the_one_before_it() -> None:
    insight = recorded(FIRST, SECOND)

    assert insight.subscriptions == (replace(FIRST, disconnect_time=2), SECOND)


def test_one_that_has_ended_stays_so_whatever_it_counts() -> None:
    insight = recorded(FIRST, SECOND)

    assert with_connection(insight, replace(FIRST, generation=3), subscriptions_max=10) == insight


def test_an_older_connection_that_comes_late_is_not_the_newest() -> None:
    insight = recorded(SECOND)

    assert with_connection(insight, FIRST, subscriptions_max=10) == insight


def test_the_newest_are_kept() -> None:
    assert [each.id for each in recorded(FIRST, SECOND, most=1).subscriptions] == ["2"]


def test_counts_are_by_type_and_in_total() -> None:
    status = status_of({"Mesh": Counts(2, 1, 1), "Config": Counts(1, 1, 0)}, 5)

    assert list(status.stat) == ["Config", "Mesh"]
    assert status.total == ResponseCounts(
        responses_sent=3, responses_acknowledged=2, responses_rejected=1
    )


@pytest.mark.parametrize(
    ("other", "compatible"),
    [
        ("2.10.0", True),
        ("2.8.3", True),
        ("2.12.0", True),
        ("2.7.9", False),
        ("3.10.0", False),
        ("", True),
        ("unknown", True),
        ("2.1.0-preview.v123", True),
    ],
)
def test_versions_fit_within_two_minors(other: str, compatible: bool) -> None:
    assert are_compatible("2.10.11", other) is compatible
    assert are_compatible(other, "2.10.11") is compatible
