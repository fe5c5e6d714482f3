"""Opens every listener of a start, the admission socket first."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.service_manager import ADMISSION_NAME
from kong_mesh_cp.shell.admission_socket.listener import adopted, bound
from kong_mesh_cp.shell.host.listening import address_of, open_tcp
from kong_mesh_cp.shell.host.systemd import inherited_sockets

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Listening sockets; the one who opened them closes them."""

    admission: socket.socket
    admission_path: str
    api: socket.socket | None
    api_https: socket.socket | None
    proxies: socket.socket | None
    monitoring: socket.socket | None
    monitoring_scheme: str
    diagnostics: socket.socket
    zones: socket.socket | None = None
    zones_scheme: str = "grpcs"

    def addresses(self) -> dict[str, str]:
        """Where a person on this machine finds each of them that is open."""
        addresses = {"admission": self.admission_path}
        if self.api is not None and _is_open(self.api):
            addresses["api"] = address_of(self.api)
        if self.api_https is not None and _is_open(self.api_https):
            addresses["api-https"] = address_of(self.api_https, "https")
        if self.proxies is not None and _is_open(self.proxies):
            addresses["proxies"] = address_of(self.proxies, "https")
        if self.monitoring is not None and _is_open(self.monitoring):
            addresses["monitoring"] = address_of(self.monitoring, self.monitoring_scheme)
        if self.zones is not None and _is_open(self.zones):
            addresses["zones"] = address_of(self.zones, self.zones_scheme)
        addresses["diagnostics"] = address_of(self.diagnostics)
        return addresses


@contextmanager
def open_listeners(settings: Settings, inherited_names: tuple[str, ...]) -> Iterator[Listeners]:
    """Adopt what systemd handed over, open the rest.

    Raises: ListenError naming the setting to change.
    """
    with ExitStack() as stack:
        given = inherited_sockets(inherited_names)
        for sockets in given.values():
            for handed_over in sockets:
                stack.enter_context(handed_over)
        _warn_of_unused(given)
        if ADMISSION_NAME in given:
            admission = adopted(given[ADMISSION_NAME][0])
            path = str(admission.getsockname())
        else:
            # Not its getsockname(): it was bound under a temporary name.
            path = str(settings.admission.socket)
            admission = stack.enter_context(bound(settings.admission.socket))
        http, https = settings.api_server.http, settings.api_server.https
        api = api_https = None
        if http.enabled:
            api = open_tcp(http.interface, http.port, setting="KUMA_API_SERVER_HTTP_PORT")
            stack.enter_context(api)
        if https.enabled:
            api_https = open_tcp(https.interface, https.port, setting="KUMA_API_SERVER_HTTPS_PORT")
            stack.enter_context(api_https)
        proxies = monitoring = zones = None
        kds = settings.multizone.global_.kds
        assigning = settings.monitoring_assignment_server
        if settings.mode != "global":  # no proxy joins there
            at = settings.dp_server
            proxies = open_tcp(at.interface, at.port, setting="KUMA_DP_SERVER_PORT")
            stack.enter_context(proxies)
            monitoring = open_tcp(
                assigning.interface,
                assigning.port,
                setting="KUMA_MONITORING_ASSIGNMENT_SERVER_PORT",
            )
            stack.enter_context(monitoring)
        else:
            zones = open_tcp(
                kds.interface, kds.grpc_port, setting="KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT"
            )
            stack.enter_context(zones)
        diagnostics = open_tcp(
            settings.diagnostics.interface,
            settings.diagnostics.server_port,
            setting="KUMA_DIAGNOSTICS_SERVER_PORT",
        )
        stack.enter_context(diagnostics)
        yield Listeners(
            admission=admission,
            admission_path=path,
            api=api,
            api_https=api_https,
            proxies=proxies,
            monitoring=monitoring,
            monitoring_scheme="https" if assigning.tls_enabled else "http",
            diagnostics=diagnostics,
            zones=zones,
            zones_scheme="grpcs" if kds.tls_enabled else "grpc",
        )


def _is_open(listener: socket.socket) -> bool:
    return listener.fileno() >= 0  # -1 once closed: see the socket module


def _warn_of_unused(given: Mapping[str, Sequence[socket.socket]]) -> None:
    # A client of a socket that listens but is not served would wait for ever.
    for name, sockets in given.items():
        for unused in sockets[1:] if name == ADMISSION_NAME else sockets:
            log.warning(
                "socket-not-used: systemd handed over the socket %r named %r; one named %s is"
                " served. Remove it from the unit, or set FileDescriptorName=%s there",
                unused.getsockname(),
                name,
                ADMISSION_NAME,
                ADMISSION_NAME,
            )
