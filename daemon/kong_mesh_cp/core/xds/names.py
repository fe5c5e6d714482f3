"""Names of what Envoy is told about; operators and dashboards match on them.

Source: docs/wire/envoy-names.md#names
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.discovery import type_order
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.meshes.virtual_hosts import MESH_TAG
from kong_mesh_cp.core.resources.tags import SERVICE

CLUSTER: Final = type_order.CLUSTERS
ENDPOINT: Final = type_order.ENDPOINTS
LISTENER: Final = type_order.LISTENERS
ROUTE: Final = type_order.ROUTES
RUNTIME: Final = type_order.RUNTIMES
SECRET: Final = type_order.SECRETS

ADMIN: Final = "kuma:envoy:admin"
READINESS: Final = "kuma:readiness"
DNS: Final = "kuma:dns"
DIRECT_ACCESS: Final = "direct_access"
METRICS: Final = "kuma:metrics:hijacker"  # the cluster: kuma-dp, as the Mesh says
PROMETHEUS: Final = "kuma:metrics:prometheus"
MESH_METRICS: Final = "_kuma:metrics:hijacker"  # likewise, as a MeshMetric says
METRICS_CONFIGURATION: Final = "_kuma:dynamicconfig:observability"
ALL_AUTHORITIES: Final = "mesh_ca:secret:all"  # the authorities of every mesh
GATEWAY_RUNTIME: Final = "gateway.listeners"  # the layer of limits of a gateway's listeners


class Origin(StrEnum):
    """By which part of the control plane a resource was made: what patches compare.

    Source: docs/wire/envoy-names.md#origins
    """

    ADMIN = "admin"
    TRANSPARENT = "transparent"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    DIRECT_ACCESS = "direct-access"
    TRACING = "tracing"
    PROBE = "probe"
    DNS = "dns"
    SECRETS = "secrets"
    EGRESS = "egress"
    INGRESS = "ingress"
    GATEWAY = "gateway"
    PROMETHEUS = "prometheus"
    OPEN_TELEMETRY = "open-telemetry"
    METRICS_CONFIGURATION = "dynamic-config"
    ACCESS_LOG = "meshaccesslog"
    TRACE = "mesh-trace"
    PASSTHROUGH = "meshpassthrough"
    PROXY_PATCH = "mesh-proxy-patch"
    TEMPLATE_RAW = "proxy-template-raw"
    TEMPLATE_MODIFICATIONS = "proxy-template-modifications"


_NOT_IN_METRICS: Final = re.compile(r"[^a-zA-Z0-9_-]")


def metric_name(name: str) -> str:
    """`name` as it may stand in the name of a metric."""
    return _NOT_IN_METRICS.sub("_", name)


def local_cluster(port: int) -> str:
    """The application's own port."""
    return f"localhost:{port}"


def inbound_listener(address: str, port: int) -> str:
    return f"inbound:{join_host_port(address, port)}"


def outbound_listener(address: str, port: int) -> str:
    return f"outbound:{join_host_port(address, port)}"


def passthrough(*, inbound: bool, ipv6: bool) -> str:
    """The listener that gets what no other takes, and the cluster that it sends it to."""
    return f"{'inbound' if inbound else 'outbound'}:passthrough:{'ipv6' if ipv6 else 'ipv4'}"


def way_out(protocol: str, value: str, port: int) -> str:
    """What leads to a destination outside of the mesh; of HTTP by host the chain has no `value`."""
    return "_".join(("meshpassthrough", protocol, *filter(None, [value]), str(port or "*")))


def direct_access_listener(address: str, port: int) -> str:
    """Of one instance of a service. Other than elsewhere without brackets around IPv6."""
    return f"{DIRECT_ACCESS}_{address}:{port}"


def service_cluster(tags: Mapping[str, str]) -> str:
    """The cluster of the endpoints with `tags`, of which one is the service; of gateways of some
    mesh one is that mesh.
    """
    service = tags[SERVICE]
    if len(tags) == 1:
        return service
    text = "".join(key + tags[key] for key in sorted(tags))
    name = f"{service}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    mesh = tags.get(MESH_TAG)
    return name if mesh is None else f"{name}_{mesh}"


def log_collector(place: int) -> str:
    """The cluster of one of the collectors of access logs, of which the first has place 0."""
    return f"meshaccesslog:opentelemetry:{place}"


def span_collector(provider: str) -> str:
    return f"meshtrace:{provider}"


def client_listener(client: str) -> str:
    """Where one client of a MeshMetric scrapes."""
    return f"_kuma:metrics:prometheus:{client}"


def metric_exporter(backend: str) -> str:
    """The listener that kuma-dp exports to, and the cluster that it leads to."""
    return f"_kuma:metrics:opentelemetry:{backend}"


def gateway_listener(gateway: str, protocol: str, port: int) -> str:
    return f"{gateway}:{protocol}:{port}"


def identity_secret(mesh: str) -> str:
    return f"identity_cert:secret:{mesh}"


def authority_secret(mesh: str) -> str:
    return f"mesh_ca:secret:{mesh}"
