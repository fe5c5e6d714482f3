"""What publishing contributes to /metrics."""

from __future__ import annotations

from typing import Any

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing


def publishing_metrics(publishing: Publishing[Any, Any]) -> tuple[MetricFamily, ...]:
    """Seconds are of the event loop, or from the change of a resource to the snapshot it makes."""
    counts = publishing.counts
    watched = tuple(
        Sample(float(len(publishing.watches(mesh))), (("mesh", mesh),))
        for mesh in publishing.meshes()
    )
    return (
        MetricFamily(
            "kong_mesh_xds_proxies_watched",
            "gauge",
            "Streams whose proxies are kept up to date, by mesh.",
            watched,
        ),
        _gauge("proxies_waiting", "Proxies whose configuration is to be made.", publishing.waiting),
        _gauge(
            "parts_left_out",
            "Parts of configurations that could not be made; the log says why.",
            len(publishing.left_out),
        ),
        _counter("passes_total", "Times that configurations were made.", counts.passes),
        _counter("pass_seconds_total", "Time that making them took.", counts.pass_seconds),
        _counter(
            "published_total",
            "Configurations that said something new to a proxy.",
            counts.published_total,
        ),
        _counter(
            "publish_seconds_total",
            "Time from the change of a resource to the configuration that followed from it.",
            counts.publish_seconds,
        ),
        _counter(
            "faults_total",
            "Configurations that were not made by a fault of this program.",
            counts.faults,
        ),
        _counter(
            "full_passes_total",
            "Times that all configurations were made from scratch to compare.",
            counts.full_passes,
        ),
        _counter(
            "full_pass_finds_total",
            "What was not as from scratch, by a fault of this program; the log says what.",
            counts.full_pass_finds,
        ),
    )


def _gauge(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(f"kong_mesh_xds_{name}", "gauge", text, (Sample(float(value)),))


def _counter(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(f"kong_mesh_xds_{name}", "counter", text, (Sample(float(value)),))
