"""What a proxy says of itself with its first request: the metadata of Envoy's node.

Source: docs/wire/bootstrap.md#node
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX

# The only ones that Envoy's admin API may have: any other could make the proxy a way to elsewhere.
ADMIN_ADDRESSES: Final = ("127.0.0.1", "0.0.0.0", "::1", "::", "")  # noqa: S104  not listened on


class Certificate(NamedTuple):
    """Files on the machine of the proxy."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMetadata:
    """Ports are 0 where the proxy has none."""

    admin_port: int = 0
    admin_address: str = ""
    dns_port: int = 0
    readiness_port: int = 0
    app_probe_proxy: bool = False
    ipv6: bool = True  # of older proxies, which do not say
    features: frozenset[str] = frozenset()
    workdir: str = ""
    access_log_socket: str = ""
    metrics_cert_path: str = ""
    metrics_key_path: str = ""
    system_ca_path: str = ""
    resource: str = ""  # the text of the resource that is to be registered
    proxy_type: str = "dataplane"
    version: Mapping[str, object] = field(default_factory=dict, compare=False)
    dynamic: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def metrics_certificate(self) -> Certificate | None:
        """What its machine has for those who scrape it."""
        chain, key = self.metrics_cert_path, self.metrics_key_path
        return Certificate(chain, key) if chain and key else None


def read_metadata(metadata: Mapping[str, object]) -> ProxyMetadata:
    """What is of another type than it should be is as if it were not there."""
    version, dynamic = metadata.get("version"), metadata.get("dynamicMetadata")
    features = metadata.get("features")
    return ProxyMetadata(
        admin_port=_port(metadata, "dataplane.admin.port"),
        admin_address=_text(metadata, "dataplane.admin.address"),
        dns_port=_port(metadata, "dataplane.dns.port"),
        readiness_port=_port(metadata, "dataplane.readinessReporter.port"),
        app_probe_proxy=_text(metadata, "dataplane.appProbeProxy.enabled") == "true",
        ipv6=metadata.get("ipv6Enabled", True) is not False,
        features=frozenset(
            each
            for each in (features if isinstance(features, list) else ())
            if isinstance(each, str)
        ),
        workdir=_text(metadata, "workdir"),
        access_log_socket=_text(metadata, "accessLogSocketPath"),
        metrics_cert_path=_text(metadata, "metricsCertPath"),
        metrics_key_path=_text(metadata, "metricsKeyPath"),
        system_ca_path=_text(metadata, "systemCaPath"),
        resource=_text(metadata, "dataplane.resource"),
        proxy_type=_text(metadata, "dataplane.proxyType") or "dataplane",
        version=version if isinstance(version, Mapping) else {},
        dynamic={
            key: value
            for key, value in (dynamic if isinstance(dynamic, Mapping) else {}).items()
            if isinstance(value, str)
        },
    )


def _text(metadata: Mapping[str, object], name: str) -> str:
    value = metadata.get(name)
    return value if isinstance(value, str) else ""


def _port(metadata: Mapping[str, object], name: str) -> int:
    text = _text(metadata, name)
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(PORT_MAX)):
        return 0
    port = int(text)
    return port if port <= PORT_MAX else 0
