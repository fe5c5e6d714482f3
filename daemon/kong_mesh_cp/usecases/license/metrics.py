"""What the license contributes to /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample
from kong_mesh_cp.core.license.term import Entitlement


def license_metrics(
    entitlement: Entitlement, *, active: int, restart_safe: bool, reloads: Mapping[str, int]
) -> tuple[MetricFamily, ...]:
    """The families of the license; `reloads` counts by result."""
    return (
        _gauge(
            "kong_mesh_license_expiration_timestamp_seconds",
            "When the license in force ends, in seconds since 1970.",
            entitlement.expires_at.timestamp(),
        ),
        _gauge(
            "kong_mesh_license_dataplanes_allowed",
            "Data plane proxies that the license in force allows.",
            entitlement.dataplanes,
        ),
        _gauge(
            "kong_mesh_license_dataplanes_active",
            "Data plane proxies that hold a counted seat.",
            active,
        ),
        _gauge(
            "kong_mesh_license_over_limit",
            "1 while more data plane proxies hold seats than the license allows.",
            active > entitlement.dataplanes,
        ),
        _gauge(
            "kong_mesh_license_restart_safe",
            "1 while a start right now would succeed with the license that is configured.",
            restart_safe,
        ),
        MetricFamily(
            "kong_mesh_license_reload_total",
            "counter",
            "Reloads of the license, by what came of them.",
            tuple(Sample(count, (("result", result),)) for result, count in reloads.items()),
        ),
    )


def _gauge(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, "gauge", text, (Sample(float(value)),))
