"""The protocols of services, and what all instances of one have in common.

Source: docs/wire/envoy-names.md#protocols
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TCP: Final = "tcp"
HTTP: Final = "http"
HTTP2: Final = "http2"
GRPC: Final = "grpc"
KAFKA: Final = "kafka"
TLS: Final = "tls"
MYSQL: Final = "mysql"
UNKNOWN: Final = ""

HTTP_LIKE: Final = frozenset({HTTP, HTTP2, GRPC})
NOT_CARRIED: Final = frozenset({TLS, MYSQL})
"""Known as tags, but a proxy does not carry them to another (as the original does not)."""

# What a protocol is made of, itself first.
_STACKS: Final = {
    GRPC: (GRPC, HTTP2, TCP),
    HTTP2: (HTTP2, TCP),
    HTTP: (HTTP, TCP),
    KAFKA: (KAFKA, TCP),
    TCP: (TCP,),
    TLS: (TLS,),
    MYSQL: (MYSQL,),
}


def protocol_of(value: str | None) -> str:
    """What a `kuma.io/protocol` says, in letters of any case; UNKNOWN for what is not known."""
    name = (value or "").lower()
    return name if name in _STACKS else UNKNOWN


def common_protocol(protocols: Iterable[str]) -> str:
    """The most that all of them speak; UNKNOWN where one is, or there are none."""
    found: str | None = None
    for each in protocols:
        if found is None or found == each:
            found = each
        elif UNKNOWN in (found, each):
            return UNKNOWN
        else:
            found = next((one for one in _STACKS[found] if one in _STACKS[each]), UNKNOWN)
    return found or UNKNOWN
