"""What the quotas of meshes contribute to /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.admission.ledger import Occupancy
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample


def quota_metrics(occupancy: Occupancy) -> tuple[MetricFamily, ...]:
    """Of every mesh with a quota; without samples where there is none."""
    quotas, elsewhere = occupancy.quotas, occupancy.elsewhere_by_mesh
    meshes = {*quotas.by_mesh, *occupancy.by_mesh, *elsewhere}
    allowed = {mesh: quotas.of(mesh) for mesh in sorted(meshes)}
    limited = {mesh: quota for mesh, quota in allowed.items() if quota is not None}
    active = {mesh: occupancy.by_mesh.get(mesh, 0) + elsewhere.get(mesh, 0) for mesh in limited}
    return (
        _by_mesh(
            "kong_mesh_mesh_dataplanes_allowed",
            "Data plane proxies that the quota of a mesh allows.",
            limited,
        ),
        _by_mesh(
            "kong_mesh_mesh_dataplanes_active",
            "Data plane proxies of a mesh with a quota that hold a counted seat.",
            active,
        ),
    )


def _by_mesh(name: str, text: str, values: Mapping[str, int]) -> MetricFamily:
    samples = (Sample(float(value), (("mesh", mesh),)) for mesh, value in values.items())
    return MetricFamily(name, "gauge", text, tuple(samples))
