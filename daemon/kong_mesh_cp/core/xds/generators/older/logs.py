"""What TrafficLogs do to the listeners of a proxy for what goes out.

Source: docs/wire/older-policies.md#logs
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kinds.mesh import FileConf, LoggingBackend, TcpConf
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.core.xds.bootstrap.socket_paths import access_log_socket
from kong_mesh_cp.core.xds.envoy.access_logs import file_log
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.policies.access_log_effects import CONNECTION_FORMAT, REQUEST_FORMAT
from kong_mesh_cp.core.xds.proxy_view import ProxyView, reached_at
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

OUTBOUND: Final = "OUTBOUND"
PASSING: Final = "UNSPECIFIED"  # the direction of what goes to no service
EXTERNAL: Final = "external"  # its destination


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedProxy:
    """What lines say of the proxy that writes them, and where its pipe is."""

    mesh: str
    name: str
    service: str
    address: str
    workdir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Traffic that is written down."""

    proxy: LoggedProxy
    direction: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget:
    """A logging backend of a mesh, of values that are a key."""

    format: str  # "": the one of the protocol
    path: str = ""  # of a file on the proxy's machine
    address: str = ""  # of a collector, which kuma-dp sends to


def logged_proxy(view: ProxyView) -> LoggedProxy:
    return LoggedProxy(
        mesh=view.world.name,
        name=view.dataplane.name,
        service=view.dataplane.spec.service,
        address=reached_at(view.networking),
        workdir=view.metadata.workdir,
    )


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
                raise UnmakeableError(f"logging backend {backend.name} is of no known type")
    except ParseError as error:
        reason = f"the conf of the logging backend {backend.name} cannot be read: {error.reason}"
        raise UnmakeableError(reason) from error


def log_chain(chain: ChainDraft, target: LogTarget, traffic: Logged) -> None:
    if chain.http is not None:
        chain.http.access_log.append(_log(target, traffic, REQUEST_FORMAT))
    if chain.tcp is not None:
        chain.tcp.access_log.append(_log(target, traffic, CONNECTION_FORMAT))


def _log(target: LogTarget, traffic: Logged, otherwise: str) -> Message:
    proxy = traffic.proxy
    line = f"{_filled_in(target.format or otherwise, traffic)}\n"
    path = target.path
    if target.address:
        # Envoy has no such logger: kuma-dp takes the lines out of a pipe, and sends them.
        line = f"{target.address};{line}"
        path = access_log_socket(proxy.workdir, proxy.name, proxy.mesh)
    return file_log(path, line, omit_empty=False)


def _filled_in(text: str, traffic: Logged) -> str:
    """With what Envoy does not know in the place of its placeholders."""
    proxy = traffic.proxy
    for name, value in (
        ("SOURCE_ADDRESS", join_host_port(proxy.address, 0)),
        ("SOURCE_ADDRESS_WITHOUT_PORT", proxy.address),
        ("SOURCE_SERVICE", proxy.service),
        ("DESTINATION_SERVICE", traffic.destination),
        ("MESH", proxy.mesh),
        ("TRAFFIC_DIRECTION", traffic.direction),
    ):
        text = text.replace(f"%KUMA_{name}%", value)
    return text
