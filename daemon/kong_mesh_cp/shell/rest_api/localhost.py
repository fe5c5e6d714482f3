"""Requests from this machine: which ones were made here, for here."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache

from kong_mesh_cp.shell.http.forwarding import is_forwarded
from kong_mesh_cp.shell.http.origins import is_foreign_page, own_origin


def is_localhost(peer_ip: str | None, headers: Mapping[str, str], *, secure: bool = False) -> bool:
    """Whether a request was made on this machine, for this machine, by no web page from elsewhere.

    `peer_ip` is the other end of the TCP connection, `headers` have names in lower case, `secure`
    says that it came over TLS. All of:

    - the peer is a loopback address, and
    - Host names this machine: a name rebound to 127.0.0.1 by a foreign DNS server does not, and
    - no header says that a proxy passed the request on; that proxy's clients may be anywhere, and
    - no browser says that it is for another page than our own: `localhost` with another port is
      whatever another user may serve on this machine, or at the other end of a tunnel.
    """
    if peer_ip is None or not _is_loopback(peer_ip):
        return False
    if is_forwarded(headers):
        return False
    own = own_origin(headers, secure=secure)
    if own is None or not (own.host == "localhost" or _is_loopback(own.host)):
        return False
    return not is_foreign_page(headers, secure=secure)


@lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # a dual-stack listener sees IPv4 peers so
    return (mapped or address).is_loopback
