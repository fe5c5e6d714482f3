"""What streams of proxies contribute to /metrics."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample, histogram

DELAY_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, math.inf)


class StreamMetrics:
    """Counted since the start."""

    def __init__(self) -> None:
        self.opened = 0  # streams that have said something and are not over
        self.sent: Counter[str] = Counter()  # by type URL
        self.refused: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()  # by code
        self._delays = dict.fromkeys(DELAY_BOUNDS, 0)
        self._delay_seconds = 0.0

    def note_delay(self, seconds: float) -> None:
        """From the change of what a proxy is to have until it was sent."""
        self._delay_seconds += seconds
        bound = next(each for each in DELAY_BOUNDS if seconds <= each)
        self._delays[bound] += 1

    def families(self, connected: int) -> tuple[MetricFamily, ...]:
        """`connected`: proxies that have joined."""
        return (
            MetricFamily(
                "kong_mesh_proxies_connected",
                "gauge",
                "Proxies that are configured over a stream to this control plane.",
                (Sample(connected),),
            ),
            MetricFamily(
                "kong_mesh_streams_open",
                "gauge",
                "Streams of proxies, with those that have not joined yet.",
                (Sample(self.opened),),
            ),
            _by(
                "kong_mesh_streams_ended_total",
                "Streams of proxies that the control plane has refused or ended, by code.",
                "code",
                self.ended,
            ),
            _by(
                "kong_mesh_responses_sent_total",
                "Parts of the configuration that were sent to proxies, by type.",
                "type",
                self.sent,
            ),
            _by(
                "kong_mesh_responses_refused_total",
                "Parts of the configuration that proxies have not taken, by type.",
                "type",
                self.refused,
            ),
            histogram(
                "kong_mesh_change_to_sent_seconds",
                "From a change of what a proxy is to have until it was sent.",
                self._delays,
                total=self._delay_seconds,
            ),
        )


def _by(name: str, text: str, label: str, counted: Counter[str]) -> MetricFamily:
    samples: Counter[str] = Counter()
    for value, count in counted.items():
        samples[value.rpartition(".")[2]] += count
    listed = tuple(Sample(count, ((label, value),)) for value, count in samples.items())
    return MetricFamily(name, "counter", text, listed)
