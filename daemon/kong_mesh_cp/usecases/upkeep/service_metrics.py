"""What services with names of their own contribute to /metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample
from kong_mesh_cp.usecases.upkeep.known_services import addresses_of
from kong_mesh_cp.usecases.upkeep.mesh_services import SERVICE_TYPES, MeshServices
from kong_mesh_cp.usecases.upkeep.service_writing import Counted


def service_metrics(
    books: Iterable[MeshServices], written: Mapping[Counted, int]
) -> tuple[MetricFamily, ...]:
    """Of all meshes together; a type without a service has a zero."""
    there: Counter[str] = Counter()
    without: Counter[str] = Counter()
    conflicts = 0
    for book in books:
        conflicts += len(book.told)
        for type_name, services in book.known.items():
            there[type_name] += len(services)
            without[type_name] += sum(not addresses_of(known.status) for known in services.values())
    return (
        _by_type("kong_mesh_services", "Services that have names of their own.", there),
        _by_type(
            "kong_mesh_services_without_address",
            "Of them, those that have no virtual address, because no one is free.",
            without,
        ),
        MetricFamily(
            "kong_mesh_services_in_conflict",
            "gauge",
            "Generated MeshServices whose proxies do not agree about their ports.",
            (Sample(conflicts),),
        ),
        MetricFamily(
            "kong_mesh_service_writes_total",
            "counter",
            "Services that this control plane has created, updated or deleted by itself.",
            tuple(
                Sample(count, (("type", each.type), ("what", each.what)))
                for each, count in sorted(written.items())
            ),
        ),
    )


def _by_type(name: str, text: str, values: Mapping[str, int]) -> MetricFamily:
    samples = (Sample(values.get(each, 0), (("type", each),)) for each in sorted(SERVICE_TYPES))
    return MetricFamily(name, "gauge", text, tuple(samples))
