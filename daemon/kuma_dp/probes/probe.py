"""What a request to the proxy of probes asks for. No I/O.

Source: docs/wire/beside-envoy.md#probes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX

PREFIX: Final = "x-kuma-probes-"
SECONDS_DEFAULT: Final = 1.0
SECONDS_MAX: Final = 60.0

_BY_PORT: Final = re.compile(r"/(?:(tcp|grpc)/)?([0-9]{1,5})(/.*)?", re.DOTALL)
# Of the connection that it came on; the client that asks has its own.
_OF_A_CONNECTION: Final = frozenset(
    {
        *("connection", "content-length", "host", "keep-alive", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade", "expect"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question to one application."""

    kind: str  # http, tcp or grpc
    port: int
    seconds: float
    target: str = "/"  # of HTTP: path and query
    secure: bool = False
    authority: str = ""  # of HTTP: what to say in Host; empty: the address
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""  # of gRPC; empty: the server as a whole


def read_probe(path: str, query: str, headers: Mapping[str, str]) -> Probe | None:
    """None: it names no port. `headers` have lower-case names."""
    found = _BY_PORT.fullmatch(path)
    if found is None or not 0 < int(found[2]) <= PORT_MAX:
        return None
    below = quote(found[3] or "/", safe="/:@!$&'()*+,;=~-._")
    return Probe(
        kind=found[1] or "http",
        port=int(found[2]),
        seconds=_seconds(headers.get(f"{PREFIX}timeout", "")),
        target=f"{below}?{query}" if query else below,
        secure=headers.get(f"{PREFIX}scheme", "").upper() == "HTTPS",
        authority=headers.get(f"{PREFIX}host", ""),
        headers=tuple(
            (name, value)
            for name, value in headers.items()
            if not name.startswith(PREFIX) and name not in _OF_A_CONNECTION
        ),
        service=headers.get(f"{PREFIX}grpc-service", ""),
    )


def health_check(service: str) -> bytes:
    """`HealthCheckRequest` of gRPC's health protocol: its one member is the name."""
    name = service.encode("utf-8", "replace")
    if not name:
        return b""
    size, length = len(name), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return b"\x0a" + bytes(length) + name


def says_serving(answer: bytes) -> bool:
    """Whether a `HealthCheckResponse` has the status SERVING, its only member."""
    return answer == b"\x08\x01"


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        return SECONDS_DEFAULT
    return min(max(float(text), SECONDS_DEFAULT), SECONDS_MAX)
