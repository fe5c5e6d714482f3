"""The pre-bundled license that applies when no source is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

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
        """The first midnight UTC that lies at least BUNDLED_TERM after the first start.

        Every license ends at a midnight; whoever starts at noon is not given 29.5 days for it.
        """
        end = self.started_at + BUNDLED_TERM
        midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight if midnight == end else midnight + timedelta(days=1)
