"""The insight of a proxy that comes, stays and goes: properties of its subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.insights import proxy_subscriptions
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight
from kong_mesh_cp.core.resources.kinds.subscriptions import DiscoverySubscription

OURS, THEIRS = "run-1", "run-0"

SUBSCRIPTIONS = st.lists(
    st.builds(
        DiscoverySubscription,
        id=st.sampled_from("abcdefgh"),
        control_plane_instance_id=st.sampled_from([OURS, THEIRS]),
        connect_time=st.integers(1, 50),
        disconnect_time=st.none() | st.integers(50, 60),
        generation=st.integers(0, 3),
    ),
    max_size=5,
    unique_by=lambda each: each.id,
)
INSIGHTS = st.builds(DataplaneInsight, subscriptions=SUBSCRIPTIONS.map(tuple))


def connected(insight: DataplaneInsight, most: int = 3) -> DataplaneInsight:
    return proxy_subscriptions.connected(
        insight, subscription="new", instance=OURS, since=55, subscriptions_max=most
    )


def test_an_instant_is_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 21, 12, 30, 15, 123457, tzinfo=UTC)

    assert proxy_subscriptions.nanoseconds(at) == 1795264215123457000


@given(INSIGHTS, st.integers(1, 4))
def test_a_proxy_that_connects_has_the_only_open_subscription_and_the_last(
    before: DataplaneInsight, most: int
) -> None:
    after = connected(before, most)

    assert [each.id for each in after.subscriptions if each.is_open] == ["new"]
    assert after.subscriptions[-1].id == "new"
    assert len(after.subscriptions) == min(most, len(before.subscriptions) + 1)


@given(INSIGHTS)
def test_connecting_twice_is_connecting_once(before: DataplaneInsight) -> None:
    once = connected(before)

    assert connected(once) is once


@given(INSIGHTS)
def test_what_was_closed_keeps_its_end(before: DataplaneInsight) -> None:
    ends = {each.id: each.disconnect_time for each in before.subscriptions if not each.is_open}

    for after in (connected(before, 9), _gone(before)):
        assert {
            each.id: each.disconnect_time for each in after.subscriptions if each.id in ends
        } == ends


def _gone(insight: DataplaneInsight) -> DataplaneInsight:
    return proxy_subscriptions.disconnected(insight, instances=[OURS], at=40)


@given(INSIGHTS)
def test_a_proxy_that_leaves_closes_its_own_subscription_and_never_before_it_began(
    before: DataplaneInsight,
) -> None:
    after = _gone(before)

    for old, new in zip(before.subscriptions, after.subscriptions, strict=True):
        mine = old.is_open and old.control_plane_instance_id == OURS
        assert new.is_open == (old.is_open and not mine)
        if mine:
            assert (new.disconnect_time or 0) >= max(40, old.connect_time or 0)
    assert _gone(after) is after


def test_a_closed_subscription_is_known_as_such() -> None:
    insight = connected(DataplaneInsight())

    assert not proxy_subscriptions.is_closed(insight, "new")
    assert not proxy_subscriptions.is_closed(insight, "other")
    assert proxy_subscriptions.is_closed(
        proxy_subscriptions.disconnected(insight, instances=[OURS], at=99), "new"
    )
