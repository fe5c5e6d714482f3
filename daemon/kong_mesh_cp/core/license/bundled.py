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
        return self.started_at + BUNDLED_TERM
