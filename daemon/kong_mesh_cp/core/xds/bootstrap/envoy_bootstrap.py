"""The first configuration of an Envoy, as JSON (docs/wire/bootstrap.md#configuration).

Pure, and plain JSON: whoever asks for it starts many proxies, and needs no message of Envoy's.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import is_ip
from kong_mesh_cp.core.formats.durations import MICROSECOND, SECOND
from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import BootstrapRequest
from kong_mesh_cp.core.xds.bootstrap.socket_paths import access_log_socket

Json = dict[str, Any]

ADS_CLUSTER: Final = "ads_cluster"
ACCESS_LOG_CLUSTER: Final = "access_log_sink"
VALIDATION_SECRET: Final = "cp_validation_ctx"  # noqa: S105 (a name)
GATEWAY_RUNTIME: Final = "gateway.listeners"
GATEWAY_CONNECTIONS: Final = 50_000  # of clients, at once
RE2_PROGRAM_SIZE_MAX: Final = 4_294_967_295  # no bound: patterns come from the mesh's own policies
RE2_PROGRAM_SIZE_WARN: Final = 1000

_TYPE: Final = "type.googleapis.com/"
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_FILE_CREDENTIALS: Final = "envoy.grpc_credentials.file_based_metadata"
_CONNECTIONS: Final = "envoy.resource_monitors.global_downstream_max_connections"
_HEAP: Final = "envoy.resource_monitors.fixed_heap"
_HEAP_ACTIONS: Final = (
    ("envoy.overload_actions.shrink_heap", 0.95),
    ("envoy.overload_actions.stop_accepting_requests", 0.98),
)
_OVERLOAD_INTERVAL: Final = "0.250s"
_STATS_TAGS: Final = (
    ("name", r"^grpc\.((.+)\.)"),
    ("status", r"^grpc.*streams_closed(_([0-9]+))"),
    ("kafka_name", r"^kafka(\.(\S*[0-9]))\."),
    ("kafka_type", r"^kafka\..*\.(.*?(?=_duration|$))"),
    ("worker", r"(worker_([0-9]+)\.)"),
    ("listener", r"((.+?)\.)rbac\."),
)
_KEEPALIVE: Final = {
    "tcpKeepalive": {"keepaliveInterval": 10, "keepaliveProbes": 3, "keepaliveTime": 10}
}
_GRPC_CHANNEL: Final = {
    "grpc.http2.max_pings_without_data": 0,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 30_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapTerms:
    """What the control plane adds, the same for all proxies."""

    admin_address: str = "127.0.0.1"
    admin_port: int = 9901  # of proxies whose resource has none; 0: Envoy has no admin interface
    admin_access_log_path: str = "/dev/null"
    xds_port: int = 5678
    connect_timeout_microseconds: int = 1_000_000
    hds: bool = True
    delta: bool = False
    reloadable_tokens: bool = False
    gateway_connections_max: int = GATEWAY_CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapFacts:
    """What is found out about one proxy."""

    service: str  # the first one of it by name, or `ingress`, `egress`
    xds_host: str  # by which Envoy finds the control plane
    ipv4_only: bool  # the name of that host has no other addresses
    authority: bytes  # PEM: of whom the certificate of the control plane is
    admin_port: int = 0  # of its resource
    is_builtin_gateway: bool = False


def envoy_bootstrap(
    request: BootstrapRequest, facts: BootstrapFacts, terms: BootstrapTerms
) -> Json:
    """Envoy's Bootstrap (v3) as JSON. What has its default value is left out."""
    from_file = terms.reloadable_tokens and bool(request.token_path)
    clusters = [_access_log_cluster(request, terms)]
    if not from_file:
        clusters.append(_ads_cluster(facts, terms))
    admin_port = facts.admin_port or terms.admin_port
    bootstrap: Json = {
        "node": {
            "id": request.node_id,
            "cluster": facts.service,
            "metadata": _metadata(request, terms, admin_port),
        },
        "layeredRuntime": {"layers": _runtime_layers(facts)},
        "statsConfig": {
            "statsTags": [{"tagName": name, "regex": regex} for name, regex in _STATS_TAGS]
        },
        "dynamicResources": {
            "adsConfig": {
                **_ads_config(request, facts, terms),
                "apiType": "DELTA_GRPC" if terms.delta else "GRPC",
            },
            "cdsConfig": _over_ads(),
            "ldsConfig": _over_ads(),
        },
        "staticResources": {"secrets": [_validation(facts)], "clusters": clusters},
        "defaultRegexEngine": {
            "name": "envoy.regex_engines.google_re2",
            "typedConfig": {"@type": f"{_TYPE}envoy.extensions.regex_engines.v3.GoogleRE2"},
        },
    }
    if terms.hds and request.proxy_type == "dataplane":
        bootstrap["hdsConfig"] = _ads_config(request, facts, terms)
    if admin_port:
        bootstrap["admin"] = _admin(request, terms, admin_port)
    if facts.is_builtin_gateway:
        bootstrap["overloadManager"] = _overload(request, terms)
    return bootstrap


def _metadata(request: BootstrapRequest, terms: BootstrapTerms, admin_port: int) -> Json:
    """Ports are texts there."""
    metadata: Json = {
        "version": _versions(request),
        "features": list(request.features),
        "workdir": request.workdir,
        "metricsCertPath": request.metrics_cert_path,
        "metricsKeyPath": request.metrics_key_path,
        "systemCaPath": request.system_ca_path,
        "ipv6Enabled": request.ipv6,
        "dataplane.proxyType": request.proxy_type,
    }
    if request.resource:
        metadata["dataplane.resource"] = request.resource
    if admin_port:
        metadata["dataplane.admin.port"] = str(admin_port)
        metadata["dataplane.admin.address"] = terms.admin_address
    if request.dns_port:
        metadata["dataplane.dns.port"] = str(request.dns_port)
    if request.readiness_port:
        metadata["dataplane.readinessReporter.port"] = str(request.readiness_port)
    if request.app_probe_proxy:
        metadata["dataplane.appProbeProxy.enabled"] = "true"
    if request.dynamic_metadata:
        metadata["dynamicMetadata"] = dict(request.dynamic_metadata)
    return metadata


def _versions(request: BootstrapRequest) -> Json:
    versions = request.versions
    kuma_dp = {
        "version": versions.version,
        "gitTag": versions.git_tag,
        "gitCommit": versions.git_commit,
        "buildDate": versions.build_date,
    }
    envoy = {
        "version": versions.envoy_version,
        "build": versions.envoy_build,
        "kumaDpCompatible": versions.envoy_compatible,
    }
    return {"kumaDp": _without_empty(kuma_dp), "envoy": _without_empty(envoy)}


def _without_empty(members: Mapping[str, object]) -> Json:
    return {name: value for name, value in members.items() if value}


def _runtime_layers(facts: BootstrapFacts) -> list[Json]:
    layers: list[Json] = [
        {
            "name": "kuma",
            "staticLayer": {
                "re2.max_program_size.error_level": RE2_PROGRAM_SIZE_MAX,
                "re2.max_program_size.warn_level": RE2_PROGRAM_SIZE_WARN,
            },
        }
    ]
    if facts.is_builtin_gateway:
        source = {"ads": {}, "resourceApiVersion": "V3"}
        rtds = {"name": GATEWAY_RUNTIME, "rtdsConfig": source}
        layers.append({"name": GATEWAY_RUNTIME, "rtdsLayer": rtds})
    return layers


def _over_ads() -> Json:
    # No bound to the wait: Envoy would go on without what it was started for.
    return {"ads": {}, "initialFetchTimeout": "0s", "resourceApiVersion": "V3"}


def _ads_config(request: BootstrapRequest, facts: BootstrapFacts, terms: BootstrapTerms) -> Json:
    return {
        "apiType": "GRPC",
        "transportApiVersion": "V3",
        "setNodeOnFirstMessageOnly": True,
        "grpcServices": [_grpc_service(request, facts, terms)],
    }


def _grpc_service(request: BootstrapRequest, facts: BootstrapFacts, terms: BootstrapTerms) -> Json:
    """How Envoy speaks with the control plane.

    Its own client waits a random time, longer and longer, before it connects again: a control plane
    that comes back meets no storm.
    """
    if terms.reloadable_tokens and request.token_path:
        return {"googleGrpc": _google_grpc(request.token_path, facts, terms)}
    service: Json = {"envoyGrpc": {"clusterName": ADS_CLUSTER}}
    if request.token:
        service["initialMetadata"] = [{"key": "authorization", "value": request.token}]
    return service


def _google_grpc(token_path: str, facts: BootstrapFacts, terms: BootstrapTerms) -> Json:
    """The client that reads the token again; only it can."""
    host = f"[{facts.xds_host}]" if ":" in facts.xds_host else facts.xds_host
    plugin = {
        "name": _FILE_CREDENTIALS,
        "typedConfig": {
            "@type": f"{_TYPE}envoy.config.grpc_credential.v3.FileBasedMetadataConfig",
            "secretData": {"filename": token_path},
        },
    }
    return {
        "targetUri": f"{host}:{terms.xds_port}",
        "statPrefix": "ads",
        "credentialsFactoryName": _FILE_CREDENTIALS,
        "callCredentials": [{"fromPlugin": plugin}],
        "channelCredentials": {
            "sslCredentials": {"rootCerts": {"inlineBytes": _base64(facts.authority)}}
        },
        "channelArgs": {
            # 64-bit integers are texts in the JSON of messages.
            "args": {name: {"intValue": str(value)} for name, value in _GRPC_CHANNEL.items()}
        },
    }


def _validation(facts: BootstrapFacts) -> Json:
    """Whom Envoy takes for the control plane."""
    matches = [
        {"sanType": kind, "matcher": {"exact": facts.xds_host}} for kind in ("DNS", "IP_ADDRESS")
    ]
    return {
        "name": VALIDATION_SECRET,
        "validationContext": {
            "matchTypedSubjectAltNames": matches,
            "trustedCa": {"inlineBytes": _base64(facts.authority)},
        },
    }


def _access_log_cluster(request: BootstrapRequest, terms: BootstrapTerms) -> Json:
    path = access_log_socket(request.workdir, request.name, request.mesh)
    address: Json = {"pipe": {"path": path}}
    return {**_cluster(ACCESS_LOG_CLUSTER, address, terms), "type": "STATIC"}


def _ads_cluster(facts: BootstrapFacts, terms: BootstrapTerms) -> Json:
    address: Json = {"socketAddress": {"address": facts.xds_host, "portValue": terms.xds_port}}
    tls = {
        "@type": f"{_TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": facts.xds_host,
        "commonTlsContext": {
            "tlsParams": {"tlsMinimumProtocolVersion": "TLSv1_2"},
            "validationContextSdsSecretConfig": {"name": VALIDATION_SECRET},
        },
    }
    cluster = {
        **_cluster(ADS_CLUSTER, address, terms),
        "type": "STATIC" if is_ip(facts.xds_host) else "STRICT_DNS",
        "transportSocket": {"name": "envoy.transport_sockets.tls", "typedConfig": tls},
    }
    if facts.ipv4_only:
        cluster["dnsLookupFamily"] = "V4_ONLY"
    return cluster


def _cluster(name: str, address: Json, terms: BootstrapTerms) -> Json:
    return {
        "name": name,
        "connectTimeout": _duration(terms.connect_timeout_microseconds),
        "upstreamConnectionOptions": _KEEPALIVE,
        "typedExtensionProtocolOptions": {
            _HTTP_OPTIONS: {
                "@type": f"{_TYPE}{_HTTP_OPTIONS}",
                "explicitHttpConfig": {"http2ProtocolOptions": {}},
            }
        },
        "loadAssignment": {
            "clusterName": name,
            "endpoints": [{"lbEndpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _admin(request: BootstrapRequest, terms: BootstrapTerms, port: int) -> Json:
    address = {"socketAddress": {"address": terms.admin_address, "portValue": port}}
    path = terms.admin_access_log_path
    if path == "/dev/null" and request.operating_system == "windows":
        path = "NUL"
    log = {
        "name": "envoy.access_loggers.file",
        "typedConfig": {
            "@type": f"{_TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
        },
    }
    return {"address": address, "accessLog": [log]}


def _overload(request: BootstrapRequest, terms: BootstrapTerms) -> Json:
    """What a gateway does before its machine can do no more."""
    monitors: list[Json] = [
        _monitor(
            _CONNECTIONS,
            "downstream_connections.v3.DownstreamConnectionsConfig",
            maxActiveDownstreamConnections=str(terms.gateway_connections_max),
        )
    ]
    overload: Json = {"refreshInterval": _OVERLOAD_INTERVAL, "resourceMonitors": monitors}
    if request.heap_bytes_max:
        config = "fixed_heap.v3.FixedHeapConfig"
        monitors.append(_monitor(_HEAP, config, maxHeapSizeBytes=str(request.heap_bytes_max)))
        overload["actions"] = [
            {"name": action, "triggers": [{"name": _HEAP, "threshold": {"value": part}}]}
            for action, part in _HEAP_ACTIONS
        ]
    return overload


def _monitor(name: str, config: str, **members: str) -> Json:
    typed = {"@type": f"{_TYPE}envoy.extensions.resource_monitors.{config}", **members}
    return {"name": name, "typedConfig": typed}


def _duration(microseconds: int) -> str:
    """As the JSON of messages has it: seconds, with three or six digits behind the point."""
    whole, rest = divmod(microseconds, SECOND // MICROSECOND)
    if not rest:
        return f"{whole}s"
    digits = f"{rest:06}"
    return f"{whole}.{digits.removesuffix('000')}s"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
