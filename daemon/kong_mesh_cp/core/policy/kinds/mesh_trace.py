"""MeshTrace: where proxies send their spans, and how many of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import urlsplit

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, parse_request_uri
from kong_mesh_cp.core.formats.urls_and_paths import is_url
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import PROXIES, SPEC, top, top_warnings
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import EMPTY_IF_ABSENT, IntOrText, Json, Length, OneOf
from kong_mesh_cp.core.schema.value_checks import (
    INVALID_PORT,
    MUST_BE_DEFINED,
    MUST_NOT_BE_DEFINED,
    MUST_NOT_BE_EMPTY,
    decimal,
    only_one_of,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Datadog:
    """The Datadog agent that spans are sent to."""

    url: str
    split_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Zipkin:
    """A collector that takes spans in Zipkin's format over HTTP."""

    url: str
    trace_id_128bit: Annotated[bool, Json("traceId128bit")] = False
    api_version: Annotated[str, OneOf(("httpJson", "httpProto"))] = "httpJson"
    shared_span_context: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTelemetry:
    """A collector that takes spans over gRPC."""

    endpoint: Annotated[str, Length(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where spans go; the member that `type` names holds the settings."""

    type: Annotated[str, OneOf(("Zipkin", "Datadog", "OpenTelemetry"))]
    zipkin: Zipkin | None = None
    datadog: Datadog | None = None
    open_telemetry: OpenTelemetry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Percentages; Envoy asks `client` and `random` first, `overall` limits both."""

    overall: IntOrText | None = None
    client: IntOrText | None = None
    random: IntOrText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderTag:
    """A request header whose value becomes a tag of the span."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag of every span: a fixed text, or the value of a header."""

    name: str
    literal: str | None = None
    header: HeaderTag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Where spans go, how many there are, and which tags they carry."""

    # At most one, although it is a list: Envoy has one tracer for a connection manager.
    backends: Annotated[tuple[Backend, ...], Length(maximum=1)] | None = None
    sampling: Sampling | None = None
    tags: tuple[Tag, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTrace:
    """The spec of a MeshTrace."""

    target_ref: TargetRef | None = None
    default: Annotated[Conf, EMPTY_IF_ABSENT]


def _violations(spec: MeshTrace) -> Iterator[Violation]:
    # One tracer for a whole proxy: a listener of a gateway cannot have another.
    yield from top(spec, (*PROXIES, "Dataplane"), listener_tags=False)
    yield from _conf(spec.default, SPEC.field("default"))


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    match conf.backends:
        case None:
            yield at.field("backends").violation(MUST_BE_DEFINED)
        case ():
            pass  # no tracing here, whatever other policies say
        case (backend,):
            yield from _backend(backend, at.field("backends").index(0))
        # More than one is what the schema refuses first, with a text of its own.
        case _:
            yield at.field("backends").violation("must have zero or one backend defined")
    for index, tag in enumerate(conf.tags or ()):
        tag_at = at.field("tags").index(index)
        if not tag.name:
            yield tag_at.field("name").violation(MUST_NOT_BE_EMPTY)
        # Neither and both have the same text in Kuma.
        if (tag.header is None) == (tag.literal is None):
            yield tag_at.violation(only_one_of("tag", "header", "literal"))
    if conf.sampling is not None:
        sampling_at = at.field("sampling")
        yield from _sampling(conf.sampling.client, sampling_at.field("client"))
        yield from _sampling(conf.sampling.random, sampling_at.field("random"))
        yield from _sampling(conf.sampling.overall, sampling_at.field("overall"))


def _backend(backend: Backend, at: FieldPath) -> Iterator[Violation]:
    match backend:
        case Backend(type="Datadog", datadog=Datadog() as datadog):
            yield from _datadog_url(datadog.url, at.field("datadog").field("url"))
        case Backend(type="Zipkin", zipkin=Zipkin() as zipkin):
            url_at = at.field("zipkin").field("url")
            if not zipkin.url:
                yield url_at.violation(MUST_NOT_BE_EMPTY)
            # Host, port and path are all the user's to say, other than for Datadog.
            elif not is_url(zipkin.url):
                yield url_at.violation("must be a valid url")
        case Backend(type="OpenTelemetry", open_telemetry=OpenTelemetry()):
            pass  # an address of gRPC has any form
        case _:
            name = backend.type[:1].lower() + backend.type[1:]
            yield at.field(name).violation(MUST_BE_DEFINED)


def _datadog_url(text: str, at: FieldPath) -> Iterator[Violation]:
    """The agent takes spans at its root: only host and port are for the user to say."""
    url = parse_request_uri(text)
    if url is None:
        yield at.violation("must be a valid url")
        return
    if url.scheme != "http":
        yield at.violation("scheme must be http")
    if not url.port:
        yield at.violation(f"port {MUST_BE_DEFINED}")
    # Compared by length first: a client may send a number of any size, and int() of it costs the
    # square of its digits.
    elif len(url.port) > len(str(PORT_MAX)) or not 1 <= int(url.port) <= PORT_MAX:
        yield at.violation(INVALID_PORT)
    parts = urlsplit(text)
    # Kuma's order of the parts; each that is there has a text of its own.
    for name, part in (
        ("user", "@" in parts.netloc),
        ("path", parts.path or parts.fragment),
        ("query", parts.query),
    ):
        if part:
            yield at.violation(f"{name} {MUST_NOT_BE_DEFINED}")


def _sampling(value: int | str | None, at: FieldPath) -> Iterator[Violation]:
    if value is None:
        return
    # Kuma's MeshTrace has texts of its own here, other than those of `percentage`.
    number = decimal(value)
    if number is None:
        yield at.violation("string is not a number")
    elif not 0 <= number <= 100:
        yield at.violation("must be between 0 and 100")


KIND: Final = policy_kind("MeshTrace", MeshTrace, Conf, _violations, top_warnings)
