"""What MeshTrace does to a proxy: spans of requests, and where they are sent.

Source: docs/wire/envoy-observability.md#traces
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from kong_mesh_cp.core.formats.addresses import parse_request_uri
from kong_mesh_cp.core.policy.kinds.mesh_trace import (
    Backend,
    Conf,
    Datadog,
    OpenTelemetry,
    Sampling,
    Tag,
    Zipkin,
)
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs, TypedConf
from kong_mesh_cp.core.resources.kinds.mesh import ZipkinConf
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.effects import Effect, InboundFacts, OutboundFacts
from kong_mesh_cp.core.xds.envoy.collectors import Collector, collector_at, collector_cluster
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    DatadogConfig,
    Message,
    OpenTelemetryConfig,
    ZipkinConfig,
    packed,
)
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import CLUSTER, Origin, span_collector
from kong_mesh_cp.core.xds.protocols import GRPC
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import number

POLICY_TYPE: Final = "MeshTrace"
ZIPKIN: Final = "zipkin"
DATADOG: Final = "datadog"
OPEN_TELEMETRY: Final = "opentelemetry"

_PROTOBUF: Final = "httpProto"


class _Names(NamedTuple):
    """What spans of one listener are called after."""

    service: str
    part: str  # of a service that Datadog is to show in parts
    at_edge: bool = False  # its requests are begun by nobody in the mesh


def _inbound_listener(draft: ListenerDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    if facts.proxy is not None:
        service = facts.proxy.service
        _listener(draft, confs.rules, _Names(service, f"{service}_INBOUND"))


def _outbound_listener(draft: ListenerDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    # Spans of calls to an external service begin at the egress.
    if facts.proxy is not None and not (facts.is_resource and facts.is_external):
        service = facts.proxy.service
        _listener(draft, confs.conf, _Names(service, f"{service}_OUTBOUND_{facts.service}"))


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    conf, service = matched.of_type(POLICY_TYPE).proxy_conf(), view.dataplane.spec.service
    for listener in draft.listeners.values():
        _listener(listener, conf, _Names(service, f"{service}_INBOUND", at_edge=True))


def _listener(draft: ListenerDraft, typed: TypedConf | None, names: _Names) -> None:
    conf = _conf(typed)
    backend = _backend(conf)
    if conf is None or backend is None:
        return
    for chain in draft.chains:
        if chain.http is not None:
            _tracing(chain.http, conf, _provider(backend, names))
            chain.http.tracing.spawn_upstream_span.value = names.at_edge


def _tracing(manager: Message, conf: Conf, provider: tuple[str, Message]) -> None:
    manager.ClearField("tracing")
    tracing = manager.tracing
    sampling = conf.sampling or Sampling()
    _percent(tracing.overall_sampling, sampling.overall)
    _percent(tracing.client_sampling, sampling.client)
    _percent(tracing.random_sampling, sampling.random)
    _tags(tracing, conf.tags or ())
    name, config = provider
    tracing.provider.name = f"envoy.tracers.{name}"
    tracing.provider.typed_config.CopyFrom(packed(config))


def _percent(field: Message, said: int | str | None) -> None:
    if said is None:
        return
    field.SetInParent()
    field.value = float(number(said, f"a percentage of a {POLICY_TYPE}"))


def _tags(tracing: Message, tags: Iterable[Tag]) -> None:
    for each in tags:
        if each.header is not None:
            header = {"name": each.header.name, "default_value": each.header.default or ""}
            tracing.custom_tags.add(tag=each.name, request_header=header)
        else:
            tracing.custom_tags.add(tag=each.name, literal={"value": each.literal or ""})


def _provider(backend: Zipkin | Datadog | OpenTelemetry, names: _Names) -> tuple[str, Message]:
    """The name of the tracer, and its configuration."""
    match backend:
        case Zipkin():
            config = zipkin_config(span_collector(ZIPKIN), backend)
            config.split_spans_for_request = names.at_edge
            return ZIPKIN, config
        case Datadog():
            name = names.part if backend.split_service else names.service
            cluster = span_collector(DATADOG)
            return DATADOG, DatadogConfig(collector_cluster=cluster, service_name=name)
        case OpenTelemetry():
            cluster = span_collector(OPEN_TELEMETRY)
            config = OpenTelemetryConfig(
                service_name=names.service, grpc_service={"envoy_grpc": {"cluster_name": cluster}}
            )
            return OPEN_TELEMETRY, config


def zipkin_config(cluster: str, conf: Zipkin | ZipkinConf) -> Message:
    url, shared = urlsplit(conf.url), conf.shared_span_context
    return ZipkinConfig(
        collector_cluster=cluster,
        collector_endpoint=unquote(url.path),
        collector_endpoint_version="HTTP_PROTO" if conf.api_version == _PROTOBUF else "HTTP_JSON",
        collector_hostname=url.netloc.rpartition("@")[2],
        trace_id_128bit=conf.trace_id_128bit,
        shared_span_context=None if shared is None else {"value": shared},
    )


def _whole_proxy(view: ProxyView, matched: Matched, draft: Draft) -> None:
    backend = _backend(_conf(matched.of_type(POLICY_TYPE).proxy_conf()))
    ipv6 = ":" in view.networking.address
    match backend:
        case Zipkin() | Datadog():
            name = ZIPKIN if isinstance(backend, Zipkin) else DATADOG
            url = parse_request_uri(backend.url)
            if url is None:
                draft.complain(
                    POLICY_TYPE, f"the URL of {name} is none: it is to begin like http://host:port"
                )
                return
            tls = isinstance(backend, Zipkin) and url.scheme == "https"
            place = Collector(url.host.strip("[]"), int(url.port or 0))
            draft.add(CLUSTER, span_collector(name), collector_cluster, place, ipv6, "", tls)
        case OpenTelemetry():
            cluster, place = span_collector(OPEN_TELEMETRY), collector_at(backend.endpoint)
            draft.add(CLUSTER, cluster, collector_cluster, place, ipv6, GRPC)
        case None:
            pass


def _backend(conf: Conf | None) -> Zipkin | Datadog | OpenTelemetry | None:
    """None: there are no spans."""
    match conf:
        case Conf(backends=(Backend(type="Zipkin", zipkin=Zipkin() as zipkin), *_)):
            return zipkin
        case Conf(backends=(Backend(type="Datadog", datadog=Datadog() as datadog), *_)):
            return datadog
        case Conf(
            backends=(Backend(type="OpenTelemetry", open_telemetry=OpenTelemetry() as found), *_)
        ):
            return found
        case _:
            return None


def _conf(typed: TypedConf | None) -> Conf | None:
    return None if typed is None else typed.of_kind(Conf)


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE,
    names_service=True,
    inbound_listener=_inbound_listener,
    outbound_listener=_outbound_listener,
    gateway=_gateway,
    whole_proxy=_whole_proxy,
    origin=Origin.TRACE,
)
