"""What TrafficTraces do to a proxy: spans of requests, and the cluster that takes them.

Source: docs/wire/older-policies.md#traces
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import parse_request_uri
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kinds.mesh import DatadogConf, TracingBackend, ZipkinConf
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.collectors import Collector, collector_cluster
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    DatadogConfig,
    Message,
    packed,
)
from kong_mesh_cp.core.xds.names import CLUSTER
from kong_mesh_cp.core.xds.policies.trace_effects import zipkin_config
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

ZIPKIN: Final = "envoy.tracers.zipkin"
DATADOG: Final = "envoy.tracers.datadog"
INBOUND: Final = "INBOUND"
OUTBOUND: Final = "OUTBOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracer:
    """A tracing backend of a mesh, of values that are a key."""

    name: str
    sampling: float | None  # per cent
    conf: ZipkinConf | DatadogConf

    @property
    def cluster(self) -> str:
        return f"tracing:{self.name}"


def tracer_of(backend: TracingBackend | None) -> Tracer | None:
    """Raises: UnmakeableError."""
    if backend is None:
        return None
    kinds: dict[str, type[ZipkinConf | DatadogConf]] = {
        "zipkin": ZipkinConf,
        "datadog": DatadogConf,
    }
    kind = kinds.get(backend.type)
    if kind is None:
        raise UnmakeableError(
            f"tracing backend {backend.name} is of type {backend.type}: it is to be zipkin or "
            "datadog"
        )
    try:
        conf = read_message(kind, backend.conf)
    except ParseError as error:
        reason = f"the conf of the tracing backend {backend.name} cannot be read: {error.reason}"
        raise UnmakeableError(reason) from error
    return Tracer(name=backend.name, sampling=backend.sampling, conf=conf)


def trace(manager: Message, tracer: Tracer, service: str, part: str) -> None:
    """`service` is what spans are called after; `part` where Datadog is to show it in parts."""
    tracing = manager.tracing
    tracing.spawn_upstream_span.value = False
    if tracer.sampling is not None:
        tracing.overall_sampling.value = tracer.sampling
    if isinstance(tracer.conf, ZipkinConf):
        tracing.provider.name = ZIPKIN
        config = zipkin_config(tracer.cluster, tracer.conf)
    else:
        tracing.provider.name = DATADOG
        name = part if tracer.conf.split_service else service
        config = DatadogConfig(collector_cluster=tracer.cluster, service_name=name)
    tracing.provider.typed_config.CopyFrom(packed(config))


def add_collector(draft: Draft, tracer: Tracer, *, ipv6: bool) -> None:
    """Raises: UnmakeableError."""
    conf, is_secured = tracer.conf, False
    if isinstance(conf, DatadogConf):
        place = Collector(conf.address, conf.port)
    else:
        url = parse_request_uri(conf.url)
        if url is None or not url.host or not url.port:
            raise UnmakeableError(
                f"the URL of the tracing backend {tracer.name} names no host and port: it is to "
                "begin like http://zipkin.example:9411"
            )
        place, is_secured = Collector(url.host, int(url.port)), url.scheme == "https"
    draft.add(CLUSTER, tracer.cluster, collector_cluster, place, ipv6, "", is_secured)
