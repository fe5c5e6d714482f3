"""A zone's insight while its control plane comes, stays and goes.

Source: docs/wire/zone-sync.md#zoneinsight
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.discovery.exchanges import Counts
from kong_mesh_cp.core.resources.kinds.insights import ZoneInsight
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    KdsStatus,
    KdsSubscription,
    ResponseCounts,
)

MINORS_APART_MAX: Final = 2  # of the two control planes, that still understand each other

_VERSION: Final = re.compile(r"v?(\d{1,9})\.(\d{1,9})(?:\.\d+)?(?:[-+].*)?")
_PREVIEW: Final = "preview"


def with_connection(
    insight: ZoneInsight, connection: KdsSubscription, *, subscriptions_max: int
) -> ZoneInsight:
    """`insight` with `connection` as it is now; those that were open before it have ended.

    One that was closed meanwhile, or is too old to be kept, stays so: the same insight then.
    """
    known = [each.id for each in insight.subscriptions]
    if connection.id in known:
        changed = tuple(
            connection if each.id == connection.id and each.is_open else each
            for each in insight.subscriptions
        )
        return insight if changed == insight.subscriptions else _of(insight, changed)
    last = insight.subscriptions[-1:]
    if any((each.connect_time or 0) > (connection.connect_time or 0) for each in last):
        return insight
    ended = (
        replace(each, disconnect_time=connection.connect_time) if each.is_open else each
        for each in insight.subscriptions
    )
    return _of(insight, (*ended, connection)[-subscriptions_max:])


def status_of(counts: Mapping[str, Counts], at: int) -> KdsStatus:
    """What a stream has counted by type. `at`: nanoseconds since 1970."""
    total = Counts(*map(sum, zip(*counts.values(), strict=True))) if counts else Counts()
    return KdsStatus(
        last_update_time=at,
        total=_shown(total),
        stat={name: _shown(counts[name]) for name in sorted(counts)},
    )


def are_compatible(one: str, other: str) -> bool:
    """Whether control planes of these two versions are made for each other, as far as they say."""
    versions = _VERSION.fullmatch(one), _VERSION.fullmatch(other)
    if None in versions or _PREVIEW in one or _PREVIEW in other:
        return True
    (major, minor), (other_major, other_minor) = (
        (int(each[1]), int(each[2])) for each in versions if each is not None
    )
    return major == other_major and abs(minor - other_minor) <= MINORS_APART_MAX


def _shown(counts: Counts) -> ResponseCounts:
    return ResponseCounts(
        responses_sent=counts.sent,
        responses_acknowledged=counts.acknowledged,
        responses_rejected=counts.rejected,
    )


def _of(insight: ZoneInsight, subscriptions: tuple[KdsSubscription, ...]) -> ZoneInsight:
    return replace(insight, subscriptions=subscriptions)
