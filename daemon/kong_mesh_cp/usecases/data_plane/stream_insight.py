"""What the insight of a proxy shows of its stream (docs/wire/dataplanes.md#connections)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.discovery import type_order
from kong_mesh_cp.core.discovery.exchanges import Counts
from kong_mesh_cp.core.insights.certificate_facts import CertificateFacts
from kong_mesh_cp.core.insights.proxy_subscriptions import nanoseconds
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    DiscoveryStatus,
    ProxyVersion,
    ResponseCounts,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock

if TYPE_CHECKING:
    from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream

_NONE: Final = Counts()


class StreamInsight:
    """`usecases.admission.attendance.StreamFacts` of a stream whose responses a table counts."""

    def __init__(self, version: ProxyVersion, table: OrderedStream, wall_clock: WallClock) -> None:
        self.version = version
        self.due = True
        self._table = table
        self._wall_clock = wall_clock
        self.certificate: CertificateFacts | None = None
        self.knows_certificate = False
        self._counted: Mapping[str, Counts] = {}
        self._status: DiscoveryStatus | None = None  # made when it is asked for
        self._updated = wall_clock()

    def certify(self, facts: CertificateFacts | None) -> None:
        """The proxy has this certificate now; None: there is none in its mesh."""
        if not self.knows_certificate or facts != self.certificate:
            self.certificate, self.knows_certificate = facts, True
            self.due = True

    def count(self) -> None:
        """Something was sent, or answered."""
        counted = self._table.counts
        if counted != self._counted:
            self._counted, self._status = counted, None
            self._updated = self._wall_clock()
            self.due = True

    def status(self) -> DiscoveryStatus:
        """Types that the message has no place for are in the total."""
        if self._status is None:
            self._status = self._made_status()
        return self._status

    def _made_status(self) -> DiscoveryStatus:
        counted = self._counted.values()
        total = Counts(*(sum(each) for each in zip(*counted, strict=True))) if counted else _NONE
        return DiscoveryStatus(
            last_update_time=nanoseconds(self._updated),
            total=_shown(total),
            cds=_shown(self._counted.get(type_order.CLUSTERS, _NONE)),
            eds=_shown(self._counted.get(type_order.ENDPOINTS, _NONE)),
            lds=_shown(self._counted.get(type_order.LISTENERS, _NONE)),
            rds=_shown(self._counted.get(type_order.ROUTES, _NONE)),
        )


def _shown(counts: Counts) -> ResponseCounts:
    return ResponseCounts(
        responses_sent=counts.sent,
        responses_acknowledged=counts.acknowledged,
        responses_rejected=counts.rejected,
    )
