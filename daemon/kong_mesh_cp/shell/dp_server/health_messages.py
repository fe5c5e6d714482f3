"""Messages of `envoy.service.health.v3` in binary form: requests and reports in, checks out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.xds.health_checks import HealthCheck, HealthSpecifier, Report
from kong_mesh_cp.shell.dp_server.discovery_messages import node_of, parsed
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold

if TYPE_CHECKING:
    from envoy.config.core.v3 import health_check_pb2
    from envoy.service.health.v3 import hds_pb2
else:
    health_check_pb2 = lazy_import("envoy.config.core.v3.health_check_pb2")
    hds_pb2 = lazy_import("envoy.service.health.v3.hds_pb2")

_HEALTHY: Final = frozenset({0, 1})  # UNKNOWN: not checked yet; HEALTHY


def read_health_message(message: bytes) -> NodeTold | Report | None:
    """A request as the node that sent it (None: as before), or a report.

    Raises: ValueError for what is neither.
    """
    read = parsed(hds_pb2.HealthCheckRequestOrEndpointHealthResponse(), message)
    if read.HasField("endpoint_health_response"):
        return _report(read.endpoint_health_response)
    if not read.HasField("health_check_request"):
        raise ValueError("it is neither a request nor a report")
    request = read.health_check_request
    return node_of(request.node) if request.HasField("node") else None


def health_specifier(specifier: HealthSpecifier) -> bytes:
    """HealthCheckSpecifier."""
    made = hds_pb2.HealthCheckSpecifier()
    made.interval.FromTimedelta(specifier.interval)
    for check in specifier.checks:
        _add(made.cluster_health_checks.add(), check)
    return bytes(made.SerializeToString(deterministic=True))


def _report(response: Any) -> Report:
    """The first endpoint of each cluster: there is one."""
    return {
        cluster.cluster_name: endpoint.health_status in _HEALTHY
        for cluster in response.cluster_endpoints_health
        for locality in cluster.locality_endpoints_health[:1]
        for endpoint in locality.endpoints_health[:1]
    }


def _add(made: Any, check: HealthCheck) -> None:
    made.cluster_name = check.cluster
    address = made.locality_endpoints.add().endpoints.add().address.socket_address
    address.address, address.port_value = check.address, check.port
    of = made.health_checks.add()
    of.timeout.FromTimedelta(check.timeout)
    of.interval.FromTimedelta(check.interval)
    of.no_traffic_interval.FromTimedelta(check.no_traffic_interval)
    of.healthy_threshold.value = check.healthy_threshold
    of.unhealthy_threshold.value = check.unhealthy_threshold
    if check.path:
        of.http_health_check.path = check.path
    else:
        of.tcp_health_check.CopyFrom(health_check_pb2.HealthCheck.TcpHealthCheck())
    if check.source:
        source = made.upstream_bind_config.source_address
        source.address, source.port_value = check.source, 0
