"""The messages of Envoy that are sent, and how they are packed.

Nothing else imports Envoy's generated modules: they cost a start a tenth of a second and 12 MiB, so
this module is imported with the first proxy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import SocketAddress
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.core.v3.health_check_pb2 import HealthCheck
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_components_pb2 import (
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
)
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.rbac.v3 import rbac_pb2 as rbac_rules_pb2
from envoy.config.route.v3.route_components_pb2 import (
    RetryPolicy,
    Route,
    RouteAction,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.trace.v3.datadog_pb2 import DatadogConfig
from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.access_loggers.open_telemetry.v3.logs_service_pb2 import (
    OpenTelemetryAccessLogConfig as OpenTelemetryAccessLog,
)
from envoy.extensions.compression.gzip.compressor.v3.gzip_pb2 import Gzip
from envoy.extensions.filters.http.compressor.v3.compressor_pb2 import Compressor
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault as HttpFault
from envoy.extensions.filters.http.grpc_stats.v3.config_pb2 import FilterConfig as GrpcStats
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import (
    LocalRateLimit as HttpRateLimit,
)
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.listener.http_inspector.v3.http_inspector_pb2 import HttpInspector
from envoy.extensions.filters.listener.original_dst.v3.original_dst_pb2 import (
    OriginalDst as OriginalDestination,
)
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.filters.network.direct_response.v3.config_pb2 import (
    Config as DirectResponse,
)
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.filters.network.local_ratelimit.v3.local_rate_limit_pb2 import (
    LocalRateLimit as NetworkRateLimit,
)
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from envoy.extensions.filters.udp.dns_filter.v3.dns_filter_pb2 import DnsFilterConfig
from envoy.extensions.health_check.event_sinks.file.v3.file_pb2 import (
    HealthCheckEventFileSink as HealthEventFile,
)
from envoy.extensions.retry.host.omit_host_metadata.v3.omit_host_metadata_config_pb2 import (
    OmitHostMetadataConfig as OmitHostMetadata,
)
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import (
    PreviousHostsPredicate as PreviousHosts,
)
from envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig as PreviousPriorities,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.service.runtime.v3.rtds_pb2 import Runtime
from google.protobuf import any_pb2, json_format, symbol_database
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = [
    "FROM_ADS",
    "AccessLog",
    "AnyValue",
    "Cluster",
    "ClusterLoadAssignment",
    "Compressor",
    "DatadogConfig",
    "DirectResponse",
    "DnsFilterConfig",
    "DownstreamTlsContext",
    "Duration",
    "FileAccessLog",
    "FilterChain",
    "FilterChainMatch",
    "GrpcStats",
    "Gzip",
    "HealthCheck",
    "HealthEventFile",
    "HttpConnectionManager",
    "HttpFault",
    "HttpInspector",
    "HttpProtocolOptions",
    "HttpRateLimit",
    "HttpRbac",
    "Listener",
    "ListenerFilter",
    "Message",
    "NetworkRateLimit",
    "NetworkRbac",
    "OmitHostMetadata",
    "OpenTelemetryAccessLog",
    "OpenTelemetryConfig",
    "OriginalDestination",
    "PreviousHosts",
    "PreviousPriorities",
    "RbacRules",
    "RetryPolicy",
    "Route",
    "RouteAction",
    "RouteConfiguration",
    "Router",
    "Runtime",
    "Secret",
    "SocketAddress",
    "TcpProxy",
    "TlsInspector",
    "TransportSocket",
    "UpstreamTlsContext",
    "VirtualHost",
    "ZipkinConfig",
    "duration",
    "joined_bytes",
    "merged_json",
    "packed",
    "packed_bytes",
    "struct_of",
    "unpacked",
]

HttpRbac = http_rbac_pb2.RBAC
NetworkRbac = network_rbac_pb2.RBAC
RbacRules = rbac_rules_pb2.RBAC
HttpConnectionManager = http_connection_manager_pb2.HttpConnectionManager

Message = Any  # one of Envoy's, whose modules have no types

_SECOND: Final = 1_000_000_000
FROM_ADS: Final = {"ads": {}, "resource_api_version": "V3"}  # a ConfigSource
TYPE_URL_PREFIX: Final = "type.googleapis.com/"


def duration(nanoseconds: int) -> Duration:
    return Duration(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)


def struct_of(texts: Iterable[tuple[str, str]]) -> Struct:
    """A Struct of texts: tags, as metadata has them."""
    return Struct(fields={name: Value(string_value=text) for name, text in texts})


def merged_json(message: Message, value: object) -> bool:
    """Whether `value`, JSON, is a message of its type; then `message` has what it says, too.

    Members that the type does not have are ignored.
    """
    if not isinstance(value, dict):
        return False
    changed = type(message)()
    changed.CopyFrom(message)
    try:
        json_format.ParseDict(value, changed, ignore_unknown_fields=True)
    except json_format.ParseError:
        return False
    message.CopyFrom(changed)
    return True


def packed(message: Message) -> any_pb2.Any:
    """As Envoy takes a message of an extension. Equal messages have equal bytes."""
    return any_pb2.Any(
        type_url=TYPE_URL_PREFIX + message.DESCRIPTOR.full_name,
        value=message.SerializeToString(deterministic=True),
    )


def packed_bytes(message: Message) -> bytes:
    """The same, as a discovery response has it."""
    return packed(message).SerializeToString(deterministic=True)


def unpacked(serialized: bytes) -> Message:
    """The message that `packed_bytes` made these of; of a type that this module imports."""
    found = any_pb2.Any.FromString(serialized)
    return symbol_database.Default().GetSymbol(found.TypeName())().FromString(found.value)


def joined_bytes(message: Message, rest: bytes) -> bytes:
    """As `packed_bytes` of `message` and another of its type, whose serialized form is `rest`.

    What one of them says the other does not: so protobuf reads them as one message.
    """
    value = message.SerializeToString(deterministic=True) + rest
    found = any_pb2.Any(type_url=TYPE_URL_PREFIX + message.DESCRIPTOR.full_name, value=value)
    return found.SerializeToString(deterministic=True)
