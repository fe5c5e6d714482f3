"""What is asked of the control plane, as the original asks it.

Source: docs/wire/bootstrap.md#request
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.versions import WIRE_VERSION
from kuma_dp.envoy.binary import EnvoyVersion
from kuma_dp.given.dataplane_file import Proxy
from kuma_dp.given.settings import Settings

ACCESS_LOG_PIPE: Final = "feature-tcp-accesslog-via-named-pipe"  # see access_logs
UNKNOWN: Final = "unknown"
# Members that are absent where they are empty.
_LEFT_OUT: Final = frozenset(
    {"dataplaneToken", "dataplaneTokenPath", "dataplaneResource", "dnsPort", "readinessPort"}
    | {"appProbeProxyDisabled"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is so on this machine, whatever the options say."""

    envoy: EnvoyVersion
    work_dir: str  # of the sockets between Envoy and this process
    system_ca_path: str
    ipv6: bool
    memory_bytes: int  # that Envoy may use; 0: not known


def payload(
    settings: Settings,
    proxy: Proxy,
    facts: Facts,
    *,
    token: str,
    token_path: str,
    authority: str,
) -> bytes:
    """The body of `POST /bootstrap`. `authority` is what verified the control plane, in PEM."""
    document: dict[str, object] = {
        "mesh": proxy.mesh,
        "name": proxy.name,
        "proxyType": settings.proxy_type,
        "dataplaneToken": token,
        "dataplaneTokenPath": token_path,
        "dataplaneResource": proxy.text,
        "version": {
            "kumaDp": {
                "version": WIRE_VERSION,
                "gitTag": UNKNOWN,
                "gitCommit": UNKNOWN,
                "buildDate": UNKNOWN,
            },
            "envoy": {
                "version": facts.envoy.version,
                "build": facts.envoy.build,
                "kumaDpCompatible": True,  # one that is not is not started
            },
        },
        "caCert": authority,
        "dynamicMetadata": {},
        "dnsPort": settings.dns_envoy_port,
        "readinessPort": settings.readiness_port,
        "appProbeProxyDisabled": settings.probe_port > 0,  # true is enabled
        "operatingSystem": "linux",
        "features": [ACCESS_LOG_PIPE],
        "resources": {"maxHeapSizeBytes": facts.memory_bytes},
        "workdir": facts.work_dir,
        "metricsResources": {
            "certPath": settings.metrics_cert_path,
            "keyPath": settings.metrics_key_path,
        },
        "systemCaPath": facts.system_ca_path,
        "ipv6Enabled": facts.ipv6,
    }
    said = {key: value for key, value in document.items() if value or key not in _LEFT_OUT}
    return json.dumps(said, ensure_ascii=False).encode()
