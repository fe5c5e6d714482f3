"""What MeshMetric does to a proxy: who scrapes it, where its metrics are sent, and what kuma-dp is
told of both.

Source: docs/wire/metrics.md#meshmetric
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.durations import MINUTE, format_duration
from kong_mesh_cp.core.formats.go.go_json import encoded
from kong_mesh_cp.core.meshes.proxy_metrics import proxy_labels
from kong_mesh_cp.core.policy.kinds.mesh_metric import (
    Application,
    Conf,
    OpenTelemetry,
    Prometheus,
)
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import served_gateway
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.xds.bootstrap.socket_paths import (
    export_socket,
    metrics_configuration_socket,
)
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.envoy.collectors import collector_at, collector_cluster
from kong_mesh_cp.core.xds.envoy.envoy_messages import GrpcStats, Message
from kong_mesh_cp.core.xds.envoy.http import LOOPBACK, HttpTerms, http_manager
from kong_mesh_cp.core.xds.envoy.listeners import (
    GRPC_STATS,
    HTTP_MANAGER,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.scraping import (
    Scraped,
    kuma_dp_cluster,
    scraped_listener,
)
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    LISTENER,
    MESH_METRICS,
    METRICS,
    METRICS_CONFIGURATION,
    PROMETHEUS,
    Origin,
    client_listener,
    metric_exporter,
)
from kong_mesh_cp.core.xds.proxy_view import ProxyView

POLICY_TYPE: Final = "MeshMetric"
METRICS_THERE: Final = "/meshmetric"  # at kuma-dp
NAMELESS_CLIENT: Final = "default-backend"
EXPORTED_EVERY: Final = MINUTE


class _Exporter(NamedTuple):
    """One collector that metrics are sent to."""

    name: str
    socket: str  # where Envoy takes them from kuma-dp
    endpoint: str
    interval: int  # nanoseconds


def _whole_proxy(view: ProxyView, matched: Matched, draft: Draft) -> None:
    typed = matched.of_type(POLICY_TYPE).proxy_conf()
    if typed is None:
        return
    conf = typed.of_kind(Conf)
    if not conf.backends:
        return
    # A proxy is scraped as the Mesh says or as policies do, not in both ways.
    draft.drop(LISTENER, PROMETHEUS)
    draft.drop(CLUSTER, METRICS)
    scraped = _clients(conf)
    exporters = [_exporter(view, each) for each in _collectors(conf)]
    draft.origin = Origin.PROMETHEUS
    for client in scraped:
        _add_client(view, client, draft)
    draft.origin = Origin.OPEN_TELEMETRY
    for exporter in exporters:
        _add_exporter(view, exporter, draft)
    draft.origin = Origin.METRICS_CONFIGURATION
    document = _document(view, conf, exporters, is_scraped=bool(scraped))
    socket = metrics_configuration_socket(view.metadata.workdir)
    ipv6 = view.metadata.ipv6
    draft.add(LISTENER, METRICS_CONFIGURATION, _configuration, socket, document, ipv6)


def _clients(conf: Conf) -> list[Prometheus]:
    return [
        each.prometheus
        for each in conf.backends or ()
        if each.type == "Prometheus" and each.prometheus is not None
    ]


def _collectors(conf: Conf) -> list[OpenTelemetry]:
    return [
        each.open_telemetry
        for each in conf.backends or ()
        if each.type == "OpenTelemetry" and each.open_telemetry is not None
    ]


def _add_client(view: ProxyView, client: Prometheus, draft: Draft) -> None:
    is_secured = client.tls is not None and client.tls.mode == "ProvidedTLS"
    name = client_listener(NAMELESS_CLIENT if client.client_id is None else client.client_id)
    draft.add(CLUSTER, MESH_METRICS, kuma_dp_cluster, view.metrics_socket)
    scraped = Scraped(
        address=view.networking.address,
        port=client.port,
        path=client.path,
        cluster=MESH_METRICS,
        path_there=METRICS_THERE,
        ipv6=view.metadata.ipv6,
        certificate=view.metadata.metrics_certificate if is_secured else None,
    )
    draft.add(LISTENER, name, scraped_listener, scraped)


def _exporter(view: ProxyView, collector: OpenTelemetry) -> _Exporter:
    # It is part of the name of a file.
    name = collector.endpoint.replace("/", "").replace(":", "-")
    return _Exporter(
        name=name,
        socket=export_socket(view.metadata.workdir, name),
        endpoint=collector.endpoint,
        interval=collector.refresh_interval or EXPORTED_EVERY,
    )


def _add_exporter(view: ProxyView, exporter: _Exporter, draft: Draft) -> None:
    name, collector = metric_exporter(exporter.name), collector_at(exporter.endpoint)
    draft.add(CLUSTER, name, collector_cluster, collector, ":" in view.networking.address)
    draft.add(LISTENER, name, _export, exporter.socket, view.metadata.ipv6)


def _export(name: str, socket: str, ipv6: bool) -> Message:  # noqa: FBT001
    chain, manager, host = _parts(name, ipv6=ipv6)
    manager.route_config.validate_clusters.value = False
    host.routes.add(match={"prefix": "/"}, route={"cluster": name})
    chain.http_filters.append((GRPC_STATS, GrpcStats(emit_filter_state=True)))
    return _on_socket(name, socket, chain)


def _configuration(name: str, socket: str, document: str, ipv6: bool) -> Message:  # noqa: FBT001
    """Envoy answers whoever asks with `document`."""
    chain, _, host = _parts(name, ipv6=ipv6)
    answer = {"status": 200, "body": {"inline_string": document}}
    host.routes.add(match={"prefix": "/"}, direct_response=answer)
    return _on_socket(name, socket, chain)


def _parts(name: str, *, ipv6: bool) -> tuple[ChainDraft, Message, Message]:
    """A chain, its connection manager and the only virtual host of that."""
    chain, manager = ChainDraft(), http_manager(name, HttpTerms(internal=LOOPBACK, ipv6=ipv6))
    chain.filters.append((HTTP_MANAGER, manager))
    return chain, manager, manager.route_config.virtual_hosts.add(name=name, domains=["*"])


def _on_socket(name: str, socket: str, chain: ChainDraft) -> Message:
    draft = ListenerDraft(name, "", 0, inbound=False)
    draft.listen_at(socket)
    draft.chains.append(chain)
    return draft.whole()


def _document(
    view: ProxyView, conf: Conf, exporters: Sequence[_Exporter], *, is_scraped: bool
) -> str:
    """What kuma-dp is told, as it reads it (docs/wire/beside-envoy.md#meshmetric)."""
    backends: list[object] = [{"type": "Prometheus", "name": None}] if is_scraped else []
    backends += [
        {
            "type": "OpenTelemetry",
            "name": each.name,
            "openTelemetry": {
                "endpoint": each.socket,
                "refreshInterval": format_duration(each.interval),
            },
        }
        for each in exporters
    ]
    metrics: dict[str, object] = {
        "applications": [_application(each) for each in conf.applications or ()] or None,
        "backends": backends,
    }
    if conf.sidecar is not None:
        metrics["sidecar"] = records.render(conf.sidecar)
    gateway = served_gateway(proxy_of(view.dataplane), view.world.policies.gateways)
    metrics["extraLabels"] = dict(
        sorted(proxy_labels(view.dataplane.spec, gateway.meta.name if gateway else "").items())
    )
    return encoded({"observability": {"metrics": metrics}})


def _application(application: Application) -> dict[str, object]:
    named = {} if application.name is None else {"name": application.name}
    return {
        **named,
        "path": application.path,
        "port": application.port,
        "address": application.address or "",
    }


EFFECT: Final = Effect(policy_type=POLICY_TYPE, whole_proxy=_whole_proxy)
