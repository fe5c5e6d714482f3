"""When the authorities of meshes end: known by who looks, and shown by /metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample
from kong_mesh_cp.core.meshes.authority_id import AuthorityId


class AuthorityEnds:
    """As far as they could be read at the last look."""

    def __init__(self) -> None:
        self.known: Mapping[AuthorityId, datetime] = {}

    def metrics(self) -> tuple[MetricFamily, ...]:
        """One family; without an authority it has no samples."""
        samples = (
            Sample(ends_at.timestamp(), (("mesh", each.mesh), ("backend", each.backend)))
            for each, ends_at in sorted(self.known.items())
        )
        return (
            MetricFamily(
                "kong_mesh_mesh_ca_expiration_timestamp_seconds",
                "gauge",
                "When the certificate authority of a mesh ends, in seconds since 1970.",
                tuple(samples),
            ),
        )
