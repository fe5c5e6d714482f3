"""Which web pages of other origins may read answers of the API (the CORS protocol of Fetch).

It opens nothing: a request is judged by who sends it, whatever page it comes from. One of a foreign
page is never an administrator's by its address or certificate, and is never answered with a secret
(see `is_foreign_page`). As it comes, no page of another origin may read anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.formats.origin_patterns import OriginPattern
from kong_mesh_cp.shell.http.origins import Origin

_ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
_NOBODYS: Final = "https://nobody.invalid"  # RFC 6761: no name below it ever exists
VARY: Final = ("Vary", "Origin")  # of every answer where some origin is allowed: caches keep both

Headers = tuple[tuple[str, str], ...]


class AllowedOrigins:
    """`apiServer.corsAllowedDomains`: regular expressions, each for a whole Origin.

    What is no origin of http or https is never allowed: `null` is the origin of any page that
    hides its own.
    """

    def __init__(self, domains: Sequence[str]) -> None:
        """Raises: OriginPatternError."""
        self._patterns = [OriginPattern(domain) for domain in domains]

    def __contains__(self, origin: str) -> bool:
        if Origin.parse(origin) is None:
            return False
        return any(pattern.matches(origin) for pattern in self._patterns)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    @property
    def everybody(self) -> bool:
        """Whether every origin is allowed, even one that cannot exist."""
        return _NOBODYS in self


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may ask. `headers` have names in lower case."""
    return method == "OPTIONS" and bool(headers.get("access-control-request-method"))


def answer_headers(origin: str) -> Headers:
    """What lets the page of an allowed origin read an answer."""
    return (
        (_ALLOW_ORIGIN, origin),
        ("Access-Control-Expose-Headers", _ALLOW_ORIGIN),
        VARY,
    )


def preflight_headers(origin: str, wanted: Mapping[str, str], methods: Collection[str]) -> Headers:
    """The answer to a preflight of an allowed origin; nothing is what refuses it.

    `wanted` are the request's headers, `methods` those that the path takes. As in Kuma no request
    header beyond the harmless ones of Fetch is allowed.
    """
    method = wanted["access-control-request-method"]
    if method not in methods or wanted.get("access-control-request-headers"):
        return (VARY,)
    return (("Access-Control-Allow-Methods", ",".join(methods)), *answer_headers(origin))
