"""The pre-bundled license that applies when no source is set."""

from __future__ import annotations

from datetime import datetime, timedelta

from kong_mesh_cp.core.dataclass import dataclass

BUNDLED_DATAPLANES = 5
BUNDLED_TERM = timedelta(days=30)  # from the first start of this control plane


@dataclass(frozen=True, slots=True)
class BundledLicense:
    """Five data plane proxies for thirty days. Not signed: it is part of the program."""

    started_at: datetime  # aware, UTC: first start of this control plane

    @property
    def dataplanes(self) -> int:
        return BUNDLED_DATAPLANES

    @property
    def expires_at(self) -> datetime:
        """Aware, UTC: the first midnight that lies at least BUNDLED_TERM after the first start.

        Every license ends at a midnight, and thirty days are not to be 29 and some hours. A start
        stamp at the end of the calendar ends there too.
        """
        latest = datetime.max.replace(tzinfo=self.started_at.tzinfo)
        almost_a_day = timedelta(days=1) - timedelta.resolution
        end = self.started_at + min(BUNDLED_TERM + almost_a_day, latest - self.started_at)
        return end.replace(hour=0, minute=0, second=0, microsecond=0)
