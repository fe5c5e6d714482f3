"""What publishing contributes to /metrics."""

from __future__ import annotations

from typing import Any

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing


def publishing_metrics(*publishings: Publishing[Any, Any]) -> tuple[MetricFamily, ...]:
    """Of all together. Seconds are of the event loop, or from the change of a resource to the
    snapshot it makes. Zone proxies are watched in the mesh "".
    """
    counts = [each.counts for each in publishings]
    watched = tuple(
        Sample(float(len(each.watches(mesh))), (("mesh", mesh),))
        for each in publishings
        for mesh in each.meshes()
    )
    return (
        MetricFamily(
            "kong_mesh_xds_proxies_watched",
            "gauge",
            "Streams whose proxies are kept up to date, by mesh.",
            watched,
        ),
        _gauge(
            "proxies_waiting",
            "Proxies whose configuration is to be made.",
            sum(each.waiting for each in publishings),
        ),
        _gauge(
            "parts_left_out",
            "Parts of configurations that could not be made; the log says why.",
            sum(len(each.left_out) for each in publishings),
        ),
        _counter(
            "passes_total",
            "Times that configurations were made.",
            sum(each.passes for each in counts),
        ),
        _counter(
            "pass_seconds_total",
            "Time that making them took.",
            sum(each.pass_seconds for each in counts),
        ),
        _counter(
            "published_total",
            "Configurations that said something new to a proxy.",
            sum(each.published_total for each in counts),
        ),
        _counter(
            "publish_seconds_total",
            "Time from the change of a resource to the configuration that followed from it.",
            sum(each.publish_seconds for each in counts),
        ),
        _counter(
            "faults_total",
            "Configurations that were not made by a fault of this program.",
            sum(each.faults for each in counts),
        ),
        _counter(
            "full_passes_total",
            "Times that all configurations were made from scratch to compare.",
            sum(each.full_passes for each in counts),
        ),
        _counter(
            "full_pass_finds_total",
            "What was not as from scratch, by a fault of this program; the log says what.",
            sum(each.full_pass_finds for each in counts),
        ),
    )


def _gauge(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(f"kong_mesh_xds_{name}", "gauge", text, (Sample(float(value)),))


def _counter(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(f"kong_mesh_xds_{name}", "counter", text, (Sample(float(value)),))
