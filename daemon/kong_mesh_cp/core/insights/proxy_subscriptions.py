"""A proxy's insight while the proxy comes, stays and goes (docs/wire/dataplanes.md#connections)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.insights.liveness import closed
from kong_mesh_cp.core.resources.kinds.insights import ProxyInsight
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    DiscoveryStatus,
    DiscoverySubscription,
    EnvoyVersion,
    KumaDpVersion,
    ProxyVersion,
    ResponseCounts,
)

I = TypeVar("I", bound=ProxyInsight)  # noqa: E741  the insight

# Nothing is sent to a proxy on this connection, and it does not tell what it is made of.
_NOTHING_SENT: Final = ResponseCounts()
_VERSION: Final = ProxyVersion(kuma_dp=KumaDpVersion(), envoy=EnvoyVersion())


def nanoseconds(at: datetime) -> int:
    """`at` (aware) as messages have it: since 1970, exact to the microsecond."""
    return int(at.timestamp()) * SECOND + at.microsecond * 1000


def connected(
    insight: I,
    *,
    subscription: str,
    instance: str,
    since: int,
    subscriptions_max: int,
) -> I:
    """`insight` with the one open subscription of this id; older ones have ended by `since`.

    The same insight when there is nothing to change. A subscription of this id that has been
    closed stays so: a proxy that is connected after all takes a new id.
    """
    open_ids = [each.id for each in insight.subscriptions if each.is_open]
    if open_ids == [subscription]:
        return insight
    ended = tuple(
        replace(each, disconnect_time=since) if each.is_open and each.id != subscription else each
        for each in insight.subscriptions
    )
    if not any(each.id == subscription for each in ended):
        ended = (*ended, _subscription(subscription, instance, since))
    return replace(insight, subscriptions=ended[-subscriptions_max:])


def is_closed(insight: ProxyInsight, subscription: str) -> bool:
    """Whether this subscription has ended."""
    return any(each.id == subscription and not each.is_open for each in insight.subscriptions)


def with_stream(insight: I, subscription: str, status: DiscoveryStatus, version: ProxyVersion) -> I:
    """`insight` with what a stream, whose subscription is there, tells and counts by now.

    The same insight when there is nothing to change.
    """
    changed = tuple(
        replace(each, status=status, version=version) if each.id == subscription else each
        for each in insight.subscriptions
    )
    return insight if changed == insight.subscriptions else replace(insight, subscriptions=changed)


def is_elsewhere(insight: ProxyInsight, instances: Collection[str]) -> bool:
    """Whether the proxy is connected, and to none of these control planes."""
    open_ones = [each for each in insight.subscriptions if each.is_open]
    return bool(open_ones) and not any(_held(each, instances) for each in open_ones)


def was_last_elsewhere(insight: ProxyInsight, instances: Collection[str]) -> bool:
    """Whether the latest connection was to none of these control planes."""
    latest = insight.subscriptions[-1:]
    return any(each.control_plane_instance_id not in instances for each in latest)


def disconnected(insight: I, *, instances: Collection[str], at: int) -> I:
    """`insight` without open subscriptions of these control planes.

    The same insight when there is none.
    """
    mine = {each.id: each for each in insight.subscriptions if _held(each, instances)}
    if not mine:
        return insight
    # A clock that was set back makes nothing end before it began.
    begun = max(each.connect_time or 0 for each in mine.values())
    return closed(insight, mine.keys(), max(at, begun))


def _held(subscription: DiscoverySubscription, instances: Collection[str]) -> bool:
    return subscription.is_open and subscription.control_plane_instance_id in instances


def _subscription(subscription: str, instance: str, since: int) -> DiscoverySubscription:
    return DiscoverySubscription(
        id=subscription,
        control_plane_instance_id=instance,
        connect_time=since,
        status=DiscoveryStatus(
            last_update_time=since,
            total=_NOTHING_SENT,
            cds=_NOTHING_SENT,
            eds=_NOTHING_SENT,
            lds=_NOTHING_SENT,
            rds=_NOTHING_SENT,
        ),
        version=_VERSION,
    )
