"""Addresses, hosts, ports and URLs, checked as Go's `net` and `net/url` check them.

Python's own parsers take more or less than Go's here and there; a Dataplane that one control
plane takes must be taken by this one.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, NetmaskValueError, ip_address
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

PORT_MAX: Final = 65535
HOSTNAME_CHARACTERS_MAX: Final = 253
DNS_NAME_CHARACTERS_MAX: Final = 255  # dots not counted

# Kuma asks govalidator, whose names may begin with an underscore (as SRV records do).
_DNS_NAME: Final = re.compile(
    r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*[._]?"
)
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"""[A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>"\u0080-\U0010ffff]*""")
_USER: Final = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")


def is_ip(text: str) -> bool:
    """An IPv4 or IPv6 address, without zone and without leading zeros in IPv4."""
    # Python's module refuses leading zeros in IPv4, as Go does since 1.17.
    kind = IPv6Address if ":" in text else IPv4Address
    try:
        kind(text)
    except (AddressValueError, NetmaskValueError):
        return False
    # Go's net.ParseIP takes no zone.
    return "%" not in text


def is_dns_name(text: str) -> bool:
    """A name as resolvers take it: underscores and a final dot included."""
    if len(text.replace(".", "")) > DNS_NAME_CHARACTERS_MAX:
        return False
    return _DNS_NAME.fullmatch(text) is not None and not is_ip(text)


def is_domain(text: str) -> bool:
    """A name of lower-case DNS labels."""
    return _DOMAIN.fullmatch(text) is not None


def hostname_reasons(hostname: str) -> list[str]:
    """Why `hostname` is neither `*`, nor `*.domain`, nor `domain`; none when it is."""
    if hostname == "*":
        return []
    reasons = []
    # Go counts bytes.
    if len(hostname.encode(errors="replace")) > HOSTNAME_CHARACTERS_MAX:
        reasons.append(f"must be at most {HOSTNAME_CHARACTERS_MAX} characters")
    domain = hostname.removeprefix("*.")
    if not is_domain(domain):
        reasons.append("invalid hostname" if domain == hostname else "invalid wildcard domain")
    return reasons


def split_host_port(text: str) -> tuple[str, str] | None:
    """Host and port of `host:port` or `[host]:port`; None when it is neither."""
    # As net.SplitHostPort: an IPv6 address has to stand in brackets.
    host, colon, port = text.rpartition(":")
    if not colon:
        return None
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        return (host, port) if bracket and not rest and not set("[]") & {*host, *port} else None
    return None if set(":[]") & {*host, *port} else (host, port)


def join_host_port(host: str, port: int) -> str:
    """As net.JoinHostPort: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL that rules look at."""

    scheme: str
    host: str  # without port
    port: str


def parse_request_uri(text: str) -> Url | None:
    """An absolute URI or an absolute path; None for anything else."""
    if not text or any(ord(character) < 0x20 or character == "\x7f" for character in text):
        return None
    # url.ParseRequestURI takes it for `OPTIONS *`.
    if text == "*":
        return Url("", "", "")
    match = _SCHEME.match(text)
    if match is None and text.startswith(":"):
        return None
    scheme = match[1].lower() if match else ""
    rest = (text[match.end() :] if match else text).partition("?")[0]
    # `mailto:a` is an opaque URI, and valid.
    if not rest.startswith("/"):
        return Url(scheme, "", "") if scheme else None
    authority = ""
    if scheme and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
    # Only the path: Go does not look at escapes in a query.
    if _BAD_ESCAPE.search(rest):
        return None
    return _with_authority(scheme, authority)


def _with_authority(scheme: str, authority: str) -> Url | None:
    user, _, address = authority.rpartition("@")
    if not _USER.fullmatch(user) or _BAD_ESCAPE.search(user) or not _HOST.fullmatch(address):
        return None
    if address.startswith("["):
        host, bracket, port = address[1:].rpartition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        host, _, port = address.rpartition(":") if ":" in address else (address, "", "")
    # Any number of digits is a port to net/url; callers check the range.
    if port and not (port.isascii() and port.isdigit()):
        return None
    return Url(scheme, host, port)


def is_same_ip(left: str, right: str) -> bool:
    """Whether listeners on both would be in each other's way; names are never the same."""
    if not is_ip(left) or not is_ip(right):
        return False
    first, second = _plain(left), _plain(right)
    return first.is_unspecified or second.is_unspecified or first == second


def _plain(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    # Go holds an IPv4 address and its IPv6 form to be one.
    # A listener on `::ffff:127.0.0.1` takes the port of one on 127.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
