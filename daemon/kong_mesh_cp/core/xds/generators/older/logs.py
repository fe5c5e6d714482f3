"""What TrafficLogs do to the listeners of a proxy for what goes out.

Source: docs/wire/older-policies.md#logs
"""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kinds.mesh import FileConf, LoggingBackend, TcpConf
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.core.xds.envoy.access_logs import file_log
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.facts.logged_traffic import (
    CONNECTION_FORMAT,
    REQUEST_FORMAT,
    LoggedTraffic,
)
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget:
    """A logging backend of a mesh, of values that are a key."""

    format: str  # "": the one of the protocol
    path: str = ""  # of a file on the proxy's machine
    address: str = ""  # of a collector, which kuma-dp sends to


def log_target(backend: LoggingBackend | None) -> LogTarget | None:
    """Raises: UnmakeableError."""
    if backend is None:
        return None
    try:
        match backend.type:
            case "file":
                path = read_message(FileConf, backend.conf).path
                return LogTarget(format=backend.format, path=path)
            case "tcp":
                address = read_message(TcpConf, backend.conf).address
                return LogTarget(format=backend.format, address=address)
            case _:
                raise UnmakeableError(
                    f"logging backend {backend.name} is of type {backend.type}: it is to be file "
                    "or tcp"
                )
    except ParseError as error:
        reason = f"the conf of the logging backend {backend.name} cannot be read: {error.reason}"
        raise UnmakeableError(reason) from error


def log_chain(chain: ChainDraft, target: LogTarget, traffic: LoggedTraffic) -> None:
    if chain.http is not None:
        chain.http.access_log.append(_log(target, traffic, REQUEST_FORMAT))
    if chain.tcp is not None:
        chain.tcp.access_log.append(_log(target, traffic, CONNECTION_FORMAT))


def _log(target: LogTarget, traffic: LoggedTraffic, otherwise: str) -> Message:
    line = f"{traffic.filled_in(target.format or otherwise)}\n"
    if target.address:
        return file_log(traffic.pipe, f"{target.address};{line}", omit_empty=False)
    return file_log(target.path, line, omit_empty=False)
