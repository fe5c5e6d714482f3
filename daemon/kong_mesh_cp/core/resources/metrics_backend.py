"""The metrics backend that a Mesh offers and a Dataplane refines."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_regex import regex_fault
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.schema.messages import (
    EMPTY,
    Message,
    ProtoEnum,
    Struct,
    Uint32,
    proto,
    read_message,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

PROMETHEUS = "prometheus"
UNKNOWN_TYPE = 'unknown backend type. Available backends: "prometheus"'


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsBackend(Message):
    """`conf` is a PrometheusConf when `type` is `prometheus`."""

    name: str = proto("", number=1)
    type: str = proto("", number=2)
    conf: Struct | None = proto(number=3)


class TlsMode(ProtoEnum):
    """How the metrics listener is protected."""

    __proto_name__ = "kuma.mesh.v1alpha1.PrometheusTlsConfig.Mode"
    # The zero value: metrics are protected by the mesh's mTLS unless something else is said.
    activeMTLSBackend = 0  # noqa: N815  names of values are the wire's
    providedTLS = 1  # noqa: N815
    disabled = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusTls(Message):
    """How the metrics listener is protected."""

    mode: TlsMode = proto(TlsMode.activeMTLSBackend, number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusEnvoy(Message):
    """Which of Envoy's metrics are published."""

    filter_regex: str = proto("", number=1)
    used_only: bool | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Message):
    """An application beside the proxy whose metrics are scraped along."""

    name: str = proto("", number=1)
    port: Uint32 = proto(0, number=2)
    path: str = proto("", number=3)
    enabled: bool | None = proto(number=4)
    address: str = proto("", number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusConf(Message):
    """A listener that Prometheus scrapes, and the applications scraped along."""

    # Zero values here are filled in by Kuma where the listener is made: 5670 and /metrics.
    port: Uint32 = proto(0, number=1)
    path: str = proto("", number=2)
    tags: Mapping[str, str] = proto(EMPTY, number=3)
    # The older word for `tls.mode: disabled`; both at once are refused.
    skip_mtls: bool | None = proto(number=4, json="skipMTLS")
    aggregate: tuple[Aggregate, ...] = proto((), number=5)
    envoy: PrometheusEnvoy | None = proto(number=6)
    tls: PrometheusTls | None = proto(number=7)


def has_pattern(backend: MetricsBackend) -> bool:
    """Whether `backend` may hold a regular expression to check."""
    return backend.type == PROMETHEUS and "envoy" in (backend.conf or EMPTY)


def backend_violations(backend: MetricsBackend, path: FieldPath) -> list[Violation]:
    """Type and configuration of one backend; `path` is that of the backend."""
    if backend.type != PROMETHEUS:
        return [path.field("type").violation(UNKNOWN_TYPE)]
    return _conf_violations(backend.conf, path.field("conf"))


def _conf_violations(conf: Mapping[str, object] | None, path: FieldPath) -> list[Violation]:
    try:
        # Read leniently: members of a newer version pass.
        prometheus = read_message(PrometheusConf, conf)
    # The conf is a Struct on the wire, and becomes a message only here.
    except ParseError as error:
        return [path.violation(f"could not parse config: {error.reason}")]
    if _contradicts_itself(prometheus):
        reason = "skipMTLS and tls configuration cannot be defined together"
        return [path.violation(reason)]
    fault = regex_fault(prometheus.envoy.filter_regex) if prometheus.envoy else None
    if fault is not None:
        reason = f"provided regexp isn't correct: {fault}"
        return [path.field("envoy").field("filterRegex").violation(reason)]
    violations = []
    seen: set[str] = set()
    for index, aggregate in enumerate(prometheus.aggregate):
        # Names are merged over mesh and Dataplane, where the later one replaces the former.
        if aggregate.name in seen:
            reason = f"duplicate entry: {aggregate.name}, values have to be unique"
            at = path.field("aggregate").index(index).field("name")
            violations.append(at.violation(reason))
        seen.add(aggregate.name)
    return violations


def _contradicts_itself(conf: PrometheusConf) -> bool:
    if conf.skip_mtls is None or conf.tls is None:
        return False
    # Saying the same thing in both ways is allowed.
    agreed = TlsMode.disabled if conf.skip_mtls else TlsMode.activeMTLSBackend
    return conf.tls.mode != agreed
