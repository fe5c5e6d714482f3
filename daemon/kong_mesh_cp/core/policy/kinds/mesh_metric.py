"""MeshMetric: which metrics proxies offer, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_regex import (
    PATTERNS_MAX,
    TOO_LONG,
    TOO_MANY,
    is_too_long,
    regex_fault,
)
from kong_mesh_cp.core.formats.urls_and_paths import is_url
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import PROXIES, SPEC, top, top_warnings
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import EMPTY_IF_ABSENT, Duration, OneOf, Unsigned32
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED, port
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

# The port and path are schema defaults: they are stored, and shown by a later GET.
PROMETHEUS_PORT: Final = 5670
METRICS_PATH: Final = "/metrics"

PROFILES: Final = ("All", "Basic", "None")
# `Contains` is taken, although Kuma's text of the refusal below does not name it.
SELECTORS: Final = ("Prefix", "Regex", "Exact", "Contains")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Metrics of Envoy, chosen by their names."""

    type: Annotated[str, OneOf(SELECTORS)]
    match: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named selection of Envoy's metrics."""

    name: Annotated[str, OneOf(PROFILES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Which of Envoy's metrics are published: profiles first, then exclusions and inclusions."""

    append_profiles: tuple[Profile, ...] | None = None
    exclude: tuple[Selector, ...] | None = None
    include: tuple[Selector, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """The metrics of the proxy itself."""

    profiles: Profiles | None = None
    # Envoy leaves counters out that were never counted, unless this is set.
    include_unused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application beside the proxy that offers metrics itself."""

    name: str | None = None
    path: str = METRICS_PATH
    port: Unsigned32
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How the listener for Prometheus is protected."""

    mode: Annotated[str, OneOf(("Disabled", "ProvidedTLS", "ActiveMTLSBackend"))] = "Disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A listener that Prometheus scrapes."""

    GO_NAME: ClassVar[str] = "PrometheusBackend"

    client_id: str | None = None
    port: Unsigned32 = PROMETHEUS_PORT
    path: str = METRICS_PATH
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTelemetry:
    """A collector that metrics are pushed to over gRPC."""

    endpoint: str
    refresh_interval: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where metrics go; the member that `type` names holds the settings."""

    type: Annotated[str, OneOf(("Prometheus", "OpenTelemetry"))]
    prometheus: Prometheus | None = None
    open_telemetry: OpenTelemetry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The metrics of the proxy and of applications beside it, and who gets them."""

    sidecar: Sidecar | None = None
    applications: tuple[Application, ...] | None = None
    backends: tuple[Backend, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMetric:
    """The spec of a MeshMetric."""

    target_ref: TargetRef | None = None
    # A policy about the proxy itself has one conf instead of lists.
    default: Annotated[Conf, EMPTY_IF_ABSENT]


def _violations(spec: MeshMetric) -> Iterator[Violation]:
    # Each part is optional, even all of them: an empty policy overrides nothing and is accepted.
    yield from top(spec, (*PROXIES, "Dataplane"))
    at, conf = SPEC.field("default"), spec.default
    if conf.sidecar is not None and conf.sidecar.profiles is not None:
        yield from _profiles(conf.sidecar.profiles, at.field("sidecar").field("profiles"))
    # The original names the elements of both lists once more.
    for index, application in enumerate(conf.applications or ()):
        port_at = at.field("applications").field("application").index(index)
        yield from port(application.port, port_at)
    for index, backend in enumerate(conf.backends or ()):
        yield from _backend(backend, at.field("backends").field("backend").index(index))


def _profiles(profiles: Profiles, at: FieldPath) -> Iterator[Violation]:
    # Counted before any is compiled: the number of expressions is the client's choice, and each
    # costs the control plane time.
    selectors = [*(profiles.exclude or ()), *(profiles.include or ())]
    if sum(selector.type == "Regex" for selector in selectors) > PATTERNS_MAX:
        yield at.violation(TOO_MANY)
        return
    yield from _selectors(profiles.exclude or (), at.field("exclude"))
    yield from _selectors(profiles.include or (), at.field("include"))
    for index, profile in enumerate(profiles.append_profiles or ()):
        # The schema's enumeration refuses other names first; this is Kuma's text for what gets past
        # it.
        if profile.name not in PROFILES:
            name_at = at.field("appendProfiles").index(index).field("name")
            yield name_at.violation(
                f"unrecognized profile name '{profile.name}' - 'All', 'None', 'Basic' are supported"
            )


def _selectors(selectors: tuple[Selector, ...], at: FieldPath) -> Iterator[Violation]:
    for index, selector in enumerate(selectors):
        selector_at = at.index(index)
        if selector.type not in SELECTORS:
            yield selector_at.field("type").violation(
                f"unrecognized type '{selector.type}' - 'Regex', 'Prefix', 'Exact' are supported"
            )
        # Go's regexp decides, since Kuma filters with it in the proxy's helper process and not in
        # Envoy.
        if selector.type == "Regex" and regex_fault(selector.match) is not None:
            reason = TOO_LONG if is_too_long(selector.match) else "invalid regex"
            yield selector_at.field("match").violation(reason)


def _backend(backend: Backend, at: FieldPath) -> Iterator[Violation]:
    match backend:
        case Backend(type="Prometheus", prometheus=Prometheus() as prometheus):
            # Kuma leaves `prometheus` out of this path; the field is where clients look for it.
            yield from port(prometheus.port, at.field("port"))
        case Backend(type="Prometheus"):
            yield at.field("prometheus").violation(MUST_BE_DEFINED)
        case Backend(type="OpenTelemetry", open_telemetry=OpenTelemetry() as collector):
            endpoint = at.field("openTelemetry").field("endpoint")
            # Both may be reported: `http://` alone is a bad URL and uses a scheme.
            if not is_url(collector.endpoint):
                yield endpoint.violation("must be a valid url")
            if collector.endpoint.startswith(("http://", "https://")):
                yield endpoint.violation("must not use schema")
        case Backend(type="OpenTelemetry"):
            yield at.field("openTelemetry").violation(MUST_BE_DEFINED)
        case _:
            yield at.violation("unrecognized type")


KIND: Final = policy_kind("MeshMetric", MeshMetric, Conf, _violations, top_warnings)
