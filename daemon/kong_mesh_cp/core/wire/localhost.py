"""Which requests of the HTTP API were made on this machine, for this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_FORWARDING = frozenset({"forwarded", "via", "x-real-ip"})


def is_localhost(peer_ip: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request was made on this machine, for this machine, by no web page from elsewhere.

    `peer_ip` is the other end of the TCP connection, `headers` have names in lower case. All of:

    - the peer is a loopback address, and
    - Host names this machine: a name rebound to 127.0.0.1 by a foreign DNS server does not, and
    - no header says that a proxy passed the request on; that proxy's clients may be anywhere, and
    - Origin, which browsers send, is absent or this machine: any web page may *send* to localhost.
    """
    if peer_ip is None or not _is_loopback(peer_ip):
        return False
    if any(name in _FORWARDING or name.startswith("x-forwarded-") for name in headers):
        return False
    if not _is_local_authority(headers.get("host", "")):
        return False
    origin = headers.get("origin")
    return origin is None or _is_local_authority(origin.partition("://")[2])


def _is_local_authority(authority: str) -> bool:
    """`localhost`, `127.0.0.0/8` or `[::1]`, with or without a port."""
    try:
        parts = urlsplit(f"//{authority}")
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        return False
    if host is None or parts.netloc != authority or "@" in authority:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # a dual-stack listener sees IPv4 peers so
    return (mapped or address).is_loopback
