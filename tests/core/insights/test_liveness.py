"""Signs of life of connections, and since when nobody is there.

Source: docs/wire/dataplanes.md#liveness
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.insights.liveness import (
    closed,
    generation_moved,
    offline_since,
    open_generations,
)
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight, ZoneInsight
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    DiscoverySubscription,
    KdsSubscription,
)

ENDED = DiscoverySubscription(id="old", connect_time=1, disconnect_time=5, generation=7)
HELD = DiscoverySubscription(id="held", connect_time=6, generation=3)
INSIGHT = DataplaneInsight(subscriptions=(ENDED, HELD))

SUBSCRIPTIONS = st.lists(
    st.builds(
        DiscoverySubscription,
        id=st.sampled_from(["a", "b", "c"]),
        connect_time=st.none() | st.integers(1, 9),
        disconnect_time=st.none() | st.integers(1, 9),
        generation=st.integers(0, 3),
    ),
    max_size=4,
    unique_by=lambda each: each.id,
)


def test_the_holder_moves_only_its_own_connection() -> None:
    moved = generation_moved(INSIGHT, "held")
    assert [each.generation for each in moved.subscriptions] == [7, 4]
    assert moved.subscriptions[0] is ENDED


def test_what_was_closed_is_not_opened_again_by_a_sign_of_life() -> None:
    assert generation_moved(INSIGHT, "old") is INSIGHT
    assert generation_moved(INSIGHT, "nobody's") is INSIGHT


def test_a_connection_ends_at_the_time_it_is_found_dead() -> None:
    ended = closed(INSIGHT, ["held", "old"], 9)
    assert [each.disconnect_time for each in ended.subscriptions] == [5, 9]
    assert not ended.is_online
    assert offline_since(ended) == 9


def test_zones_are_closed_as_proxies_are() -> None:
    zone = ZoneInsight(subscriptions=(KdsSubscription(id="a", connect_time=1),))
    assert open_generations(zone) == {"a": 0}
    assert open_generations(generation_moved(zone, "a")) == {"a": 1}
    assert offline_since(closed(zone, ["a"], 4)) == 4


def test_a_proxy_that_is_connected_or_never_was_is_not_away() -> None:
    assert offline_since(INSIGHT) is None
    assert offline_since(DataplaneInsight()) is None
    assert offline_since(DataplaneInsight(subscriptions=(ENDED,))) == 5


@given(subscriptions=SUBSCRIPTIONS, at=st.integers(1, 9))
def test_closing_all_that_is_open_leaves_a_proxy_offline(
    subscriptions: list[DiscoverySubscription], at: int
) -> None:
    insight = DataplaneInsight(subscriptions=tuple(subscriptions))
    ended = closed(insight, open_generations(insight), at)
    assert not ended.is_online
    assert open_generations(ended) == {}
    assert closed(ended, ["a", "b", "c"], at + 1) == ended
    assert [each.id for each in ended.subscriptions] == [each.id for each in subscriptions]
