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
from kong_mesh_cp.core.xds.envoy.envoy_messages import AccessLog, FileAccessLog, Message, packed
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.generators.older.own_names import own_service
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

FILE: Final = "envoy.access_loggers.file"
OUTBOUND: Final = "OUTBOUND"
PASSING: Final = "UNSPECIFIED"  # the direction of what goes to no service
EXTERNAL: Final = "external"  # its destination

CONNECTION_FORMAT: Final = (
    "[%START_TIME%] %RESPONSE_FLAGS% %KUMA_MESH%"
    " %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%(%KUMA_SOURCE_SERVICE%)"
    "->%UPSTREAM_HOST%(%KUMA_DESTINATION_SERVICE%)"
    " took %DURATION%ms, sent %BYTES_SENT% bytes, received: %BYTES_RECEIVED% bytes"
)
REQUEST_FORMAT: Final = (
    '[%START_TIME%] %KUMA_MESH% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"'
    " %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION%"
    ' %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"'
    ' "%REQ(X-B3-TRACEID?X-DATADOG-TRACEID)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%"'
    ' "%KUMA_SOURCE_SERVICE%" "%KUMA_DESTINATION_SERVICE%" "%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%"'
    ' "%UPSTREAM_HOST%"'
)


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
    networking = view.networking
    return LoggedProxy(
        mesh=view.world.name,
        name=view.dataplane.name,
        service=own_service(view.dataplane.spec.tag_sets),
        address=networking.advertised_address or networking.address,
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
    log: Message = FileAccessLog(
        path=path, log_format={"text_format_source": {"inline_string": line}}
    )
    return AccessLog(name=FILE, typed_config=packed(log))


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
