"""What a proxy offers to Prometheus as the metrics of its Mesh say, and how it is labelled there.

Source: docs/wire/metrics.md#mesh
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.metrics_backend import (
    PROMETHEUS,
    Aggregate,
    MetricsBackend,
    PrometheusConf,
    PrometheusEnvoy,
    PrometheusTls,
)
from kong_mesh_cp.core.schema.messages import read_message

_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]")


def prometheus_conf(mesh: Mesh, dataplane: Dataplane) -> PrometheusConf | None:
    """That of the Mesh, with what the Dataplane says instead or besides. None: it is off.

    As protobuf merges messages: zero, false and "" say nothing.
    Raises: ParseError, for a conf that no write has checked.
    """
    enabled = enabled_backend(mesh)
    if enabled is None or enabled.type != PROMETHEUS:
        return None
    conf, own = _conf(enabled), dataplane.metrics
    if own is None or own.type != PROMETHEUS:
        return conf
    return _merged(conf, _conf(own))


def enabled_backend(mesh: Mesh) -> MetricsBackend | None:
    metrics = mesh.metrics
    if metrics is None or not metrics.enabled_backend:
        return None
    return next((each for each in metrics.backends if each.name == metrics.enabled_backend), None)


def _conf(backend: MetricsBackend) -> PrometheusConf:
    return read_message(PrometheusConf, backend.conf or {})


def _merged(conf: PrometheusConf, own: PrometheusConf) -> PrometheusConf:
    envoy, tls = conf.envoy, conf.tls
    if own.envoy is not None:
        envoy = PrometheusEnvoy(
            filter_regex=own.envoy.filter_regex or (envoy.filter_regex if envoy else ""),
            used_only=own.envoy.used_only or (envoy.used_only if envoy else own.envoy.used_only),
        )
    if own.tls is not None:
        tls = PrometheusTls(mode=own.tls.mode or (tls.mode if tls else own.tls.mode))
    return replace(
        conf,
        port=own.port or conf.port,
        path=own.path or conf.path,
        tags={**conf.tags, **own.tags},
        skip_mtls=own.skip_mtls or (own.skip_mtls if conf.skip_mtls is None else conf.skip_mtls),
        aggregate=_aggregates(conf.aggregate, own.aggregate),
        envoy=envoy,
        tls=tls,
    )


def _aggregates(conf: Iterable[Aggregate], own: Iterable[Aggregate]) -> tuple[Aggregate, ...]:
    return tuple({each.name: each for each in (*conf, *own)}.values())


def proxy_labels(dataplane: Dataplane, gateway: str) -> dict[str, str]:
    """Its tags; those in the plural have all values: `,v1,v2,`. `gateway` is the MeshGateway that
    it serves, "" where there is none.
    """
    values: dict[str, set[str]] = {}
    for tags in dataplane.tag_sets:
        for tag, value in tags.items():
            values.setdefault(tag, set()).add(value)
    labels: dict[str, str] = {}
    # In their order: a tag that is called as the plural of another takes its place.
    for tag, found in sorted(values.items()):
        ordered = sorted(found)
        labels[label_name(tag)] = ordered[0]
        labels[label_name(f"{tag}s")] = f",{','.join(ordered)},"
    if dataplane.is_builtin_gateway:
        labels["kuma_io_mesh_gateway"] = gateway
    return labels


def label_name(text: str) -> str:
    """As a label of Prometheus can be called."""
    return _NOT_IN_LABELS.sub("_", text)
