"""Connections of proxies and zones: whose control plane lives, and since when no proxy is there.

The holder of a connection moves its generation on; one that stands still has no holder any more
(docs/wire/dataplanes.md#liveness).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from kong_mesh_cp.core.resources.kinds.insights import ProxyInsight, ZoneInsight

I = TypeVar("I", bound=ProxyInsight | ZoneInsight)  # noqa: E741  the insight


def generation_moved(insight: I, subscription_id: str) -> I:
    """`insight` with the sign of life of the one who holds the open connection of this id.

    Without such a connection it is `insight` itself: what was closed is not opened again.
    """
    return _changed(
        insight,
        {
            each.id: replace(each, generation=each.generation + 1)
            for each in insight.subscriptions
            if each.id == subscription_id and each.is_open
        },
    )


def closed(insight: I, subscription_ids: Collection[str], at: int) -> I:
    """`insight` with the end of these open connections at `at` (nanoseconds since 1970)."""
    return _changed(
        insight,
        {
            each.id: replace(each, disconnect_time=at)
            for each in insight.subscriptions
            if each.id in subscription_ids and each.is_open
        },
    )


def open_generations(insight: ProxyInsight | ZoneInsight) -> Mapping[str, int]:
    """The generation of each open connection, by its id."""
    return {each.id: each.generation for each in insight.subscriptions if each.is_open}


def offline_since(insight: ProxyInsight | ZoneInsight) -> int | None:
    """When the last connection ended (nanoseconds since 1970).

    None: a proxy is connected, or none ever was.
    """
    if insight.is_online or not insight.subscriptions:
        return None
    return insight.subscriptions[-1].disconnect_time


def _changed(insight: I, by_id: Mapping[str, Any]) -> I:
    if not by_id:
        return insight
    # Of one type with those that stay: of proxies here, of zones there.
    subscriptions: Any = tuple(by_id.get(each.id, each) for each in insight.subscriptions)
    return replace(insight, subscriptions=subscriptions)
