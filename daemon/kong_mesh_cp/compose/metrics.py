"""Gathers every metric of the daemon into one exposition."""

from __future__ import annotations

from collections.abc import Sequence

from kong_mesh_cp import __version__
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample, metrics_text
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.usecases.admission.presence import Presence
from kong_mesh_cp.usecases.admission.quota_metrics import quota_metrics
from kong_mesh_cp.usecases.admission.seat_recording import SeatRecorder
from kong_mesh_cp.usecases.admission.seating import Seating
from kong_mesh_cp.usecases.license.holder import LicenseHolder
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds


def exposition(
    licensing: LicenseHolder,
    seating: Seating,
    recorder: SeatRecorder,
    presence: Presence,
    authority_ends: AuthorityEnds,
    *,
    more: Sequence[MetricFamily] = (),
) -> str:
    """The Prometheus text of this moment; `more` is what others tell."""
    occupancy = seating.occupancy()
    families = [
        *licensing.metrics(seating.active),
        MetricFamily(
            "kong_mesh_admissions_total",
            "counter",
            "Answers to requests for a seat, by decision and code.",
            tuple(
                Sample(count, (("decision", decision), ("code", code)))
                for (decision, code), count in seating.decisions.items()
            ),
        ),
        MetricFamily(
            "kong_mesh_seats_reserved",
            "gauge",
            "Counted seats of before a restart whose proxies are not back yet.",
            (Sample(occupancy.reserved),),
        ),
        *quota_metrics(occupancy),
        *authority_ends.metrics(),
        *more,
        MetricFamily(
            "kong_mesh_store_failures_total",
            "counter",
            "Attempts to record seats and their proxies that the store refused.",
            (Sample(recorder.failures + presence.failures),),
        ),
        MetricFamily(
            "kong_mesh_store_pending_changes",
            "gauge",
            "Changes of seats and their proxies that are not on disk yet.",
            (Sample(recorder.pending + presence.pending),),
        ),
        MetricFamily(
            "kong_mesh_cp_info",
            "gauge",
            "The versions of the program and of the wire formats it speaks.",
            (Sample(1, (("version", __version__), ("wire", WIRE_VERSION))),),
        ),
    ]
    return metrics_text(families)
