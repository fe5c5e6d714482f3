"""Where Envoy and kuma-dp meet, in the working directory of a proxy.

Source: docs/wire/bootstrap.md#configuration
"""

from __future__ import annotations

from typing import Final

SOCKET_PATH_BYTES_MAX: Final = 98  # before `.sock`: sun_path holds 104 on some systems


def access_log_socket(workdir: str, name: str, mesh: str) -> str:
    """The pipe that kuma-dp reads access logs from."""
    return _socket_path(workdir, f"kuma-al-{name}-{mesh}")


def metrics_socket(workdir: str, name: str, mesh: str) -> str:
    """Where kuma-dp serves the metrics of a proxy and its applications."""
    return _socket_path(workdir, f"kuma-mh-{name}-{mesh}")


def metrics_configuration_socket(workdir: str) -> str:
    """Where Envoy serves what a MeshMetric says to kuma-dp."""
    return _socket_path(workdir, "kuma-mesh-metric-config")


def export_socket(workdir: str, backend: str) -> str:
    """Where Envoy takes from kuma-dp what it exports to a collector."""
    return _socket_path(workdir, f"kuma-otel-{backend}")


def _socket_path(folder: str, name: str) -> str:
    path = f"{folder.rstrip('/')}/{name}" if folder else name
    cut = path.encode()[:SOCKET_PATH_BYTES_MAX]
    return f"{cut.decode(errors='ignore')}.sock"
