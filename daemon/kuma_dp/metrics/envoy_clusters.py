"""Metrics of Envoy's clusters under the names of services, and which of them are of the mesh.

Source: docs/wire/beside-envoy.md#metrics
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kuma_dp.metrics.exposition import Family, Labels, Sample

CLUSTER: Final = "envoy_cluster_name"
HTTP_PREFIX: Final = "envoy_http_conn_manager_prefix"
MESH_TRAFFIC: Final = ("kuma_io_mesh_traffic", "true")

_OF_A_SUBSET: Final = re.compile(r"(.*)-[0-9a-fA-F]{16}", re.DOTALL)
_NO_SERVICES: Final = frozenset(
    {"ads_cluster", "access_log_sink", "kuma_envoy_admin", "kuma_metrics_hijacker"}
)
_NO_TRAFFIC: Final = frozenset({"admin", "kuma_envoy_admin", "kuma_metrics_prometheus"})


def of_services(family: Family) -> None:
    """Make one of the clusters of a service, which differ in a hash at the end of their names, and
    mark what is traffic of the mesh.
    """
    first = dict(family.samples[0].labels) if family.samples else {}
    if CLUSTER in first:
        family.samples = [
            _marked(each, CLUSTER, _NO_SERVICES) for each in _added_up(family.samples)
        ]
    elif HTTP_PREFIX in first:
        family.samples = [_marked(each, HTTP_PREFIX, _NO_TRAFFIC) for each in family.samples]


def _added_up(samples: Iterable[Sample]) -> list[Sample]:
    found: dict[tuple[str, Labels], Sample] = {}
    for each in samples:
        labels = tuple(
            (name, _service(value) if name == CLUSTER else value) for name, value in each.labels
        )
        sample = Sample(each.name, labels, each.value, each.moment)
        same = found.get(sample.key)
        if same is not None:
            sample = Sample(each.name, labels, _sum(same.value, each.value), same.moment)
        found[sample.key] = sample
    return list(found.values())


def _service(cluster: str) -> str:
    found = _OF_A_SUBSET.fullmatch(cluster)
    return found[1] if found else cluster


def _sum(one: str, other: str) -> str:
    try:
        return str(int(one) + int(other))
    except ValueError:
        return repr(float(one) + float(other))


def _marked(sample: Sample, label: str, others: frozenset[str]) -> Sample:
    value = dict(sample.labels).get(label)
    if value is None or value in others:
        return sample
    return Sample(sample.name, (*sample.labels, MESH_TRAFFIC), sample.value, sample.moment)
