"""Where the web page is from that sent a request, as far as its browser says (RFC 6454, Fetch).

A browser lets any page *send* to any address, localhost included, and names the page in headers
that no page can set. Programs that are no browsers send none of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Self

from kong_mesh_cp.core.dataclass import dataclass

ORIGIN_CHARACTERS_MAX: Final = 512  # a scheme, a name of 253 characters, a port; more is none
PORT_MAX: Final = 65535
REFERER_CHARACTERS_MAX: Final = 8 * 1024  # a URL; browsers cut theirs at 4096

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NAME_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")

_METADATA = "sec-fetch-"
_PREFLIGHT = "access-control-request-"
_OWN_SITES: Final = frozenset({"same-origin", "none"})  # none: typed, a bookmark, no page at all


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what has to be equal for two pages to trust each other."""

    scheme: str  # http or https
    host: str  # in lower case, IPv6 without brackets
    port: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Of `http://localhost:5681`. None for every other scheme, for `null`, and for more."""
        scheme, _, authority = text.partition("://")
        if len(text) > ORIGIN_CHARACTERS_MAX:
            return None
        return cls.of(scheme.lower(), authority)

    @classmethod
    def of_url(cls, url: str) -> Self | None:
        """Of what begins with an origin, such as a Referer."""
        if len(url) > REFERER_CHARACTERS_MAX:
            return None
        scheme, _, rest = url.partition("://")
        for end in "/?#":
            rest = rest.partition(end)[0]
        return cls.of(scheme.lower(), rest)

    @classmethod
    @lru_cache(maxsize=64)  # mostly the Host of all requests is the same
    def of(cls, scheme: str, authority: str) -> Self | None:
        """`authority` is a host, with or without a port, and nothing else."""
        default = _DEFAULT_PORTS.get(scheme)
        if default is None or len(authority) > ORIGIN_CHARACTERS_MAX:
            return None
        host, rest = _host(authority.lower())
        colon, digits = rest[:1], rest[1:]
        if not host or colon not in {"", ":"}:
            return None
        if digits and not (digits.isascii() and digits.isdigit() and int(digits) <= PORT_MAX):
            return None
        return cls(scheme, host, int(digits) if digits else default)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _host(authority: str) -> tuple[str, str]:
    """The host and what follows it; "" for what is none."""
    if not authority.startswith("["):
        host, colon, rest = authority.partition(":")
        return (host if _NAME_CHARACTERS.issuperset(host) else ""), colon + rest
    host, bracket, rest = authority[1:].partition("]")
    if not bracket or "%" in host:  # a zone id is of one machine's interfaces: no browser sends it
        return "", rest
    try:
        return str(ipaddress.IPv6Address(host)), rest
    except ValueError:
        return "", rest


def own_origin(headers: Mapping[str, str], *, secure: bool) -> Origin | None:
    """Of a page that this listener served itself, at the address that was asked."""
    return Origin.of("https" if secure else "http", headers.get("host", ""))


def is_from_browser(headers: Mapping[str, str]) -> bool:
    """Whether any header says that a browser sent it. `headers` have names in lower case."""
    return any(
        name in {"origin", "referer"} or name.startswith((_METADATA, _PREFLIGHT))
        for name in headers
    )


def is_foreign_page(headers: Mapping[str, str], *, secure: bool) -> bool:
    """Whether the page is not of the same scheme, host and port as what it asks.

    Each header counts by itself, so one that was sent twice is none of ours. `secure`: over TLS.

    - Origin comes with whatever changes something, and with what scripts want to read;
    - Sec-Fetch-Site with everything, also navigation, images and scripts. Pages of another port
      of this machine are `same-site`;
    - Referer tells older browsers' navigation; a page can withhold it, and nothing more.
    """
    if not is_from_browser(headers):
        return False
    own = own_origin(headers, secure=secure)
    if own is None or any(name.startswith(_PREFLIGHT) for name in headers):
        return True
    # A browser that says how it asks also says from where.
    if any(name.startswith(_METADATA) for name in headers) and (
        headers.get("sec-fetch-site") not in _OWN_SITES
    ):
        return True
    origin, referer = headers.get("origin"), headers.get("referer")
    if origin is not None and Origin.parse(origin) != own:
        return True
    return referer is not None and Origin.of_url(referer) != own
