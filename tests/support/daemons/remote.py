"""A client that is not on this machine, as far as the daemon can tell: it comes from, and goes
to, an address of the network.
"""

from __future__ import annotations

import http.client
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from kong_mesh_cp.shell.host.interfaces import names_of_this_machine
from support.daemons.daemon import START_SECONDS_MAX, Answer, Daemon

EVERYWHERE = {
    "KUMA_API_SERVER_HTTP_INTERFACE": "0.0.0.0",
    "KUMA_API_SERVER_HTTPS_INTERFACE": "0.0.0.0",
}


def address() -> str | None:
    """Of this machine, and not of its loopback; None where it has no network."""
    for name in names_of_this_machine():
        try:
            found = ipaddress.ip_address(name)
        except ValueError:
            continue
        if found.version == 4 and not found.is_loopback:
            return name
    return None


ADDRESS = address()
needs_network = pytest.mark.skipif(ADDRESS is None, reason="this machine has only its loopback")


@dataclass(frozen=True)
class Remote:
    """Asks a daemon that listens EVERYWHERE."""

    daemon: Daemon
    token: str | None = None

    def url(self, name: str = "api") -> str:
        scheme, _, _ = self.daemon.addresses[name].partition(":")
        return f"{scheme}://{ADDRESS}:{self.port(name)}"

    def port(self, name: str = "api") -> int:
        return int(self.daemon.addresses[name].rpartition(":")[2])

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """With `tls` on the port for HTTPS."""
        assert ADDRESS is not None
        given = {} if body is None else {"Content-Type": "application/json"}
        if self.token is not None:
            given["Authorization"] = f"Bearer {self.token}"
        given.update(headers or {})
        connection: http.client.HTTPConnection
        if tls is None:
            connection = http.client.HTTPConnection(ADDRESS, self.port(), timeout=START_SECONDS_MAX)
        else:
            connection = http.client.HTTPSConnection(
                ADDRESS, self.port("api-https"), timeout=START_SECONDS_MAX, context=tls
            )
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.headers))
        finally:
            connection.close()

    def get(self, path: str, tls: ssl.SSLContext | None = None) -> Answer:
        return self.ask("GET", path, tls=tls)
