"""The sender of a request as its headers claim it: for the log, as it is unverified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.identity.audit import Source, quoted
from kong_mesh_cp.shell.http.forwarding import is_forwarded
from kong_mesh_cp.shell.http.origins import Origin

# Whose values are addresses. Other headers of proxies may hold credentials.
_ADDRESSES_OF: Final = ("x-forwarded-for", "forwarded", "x-real-ip")


def source_of(ip: str, headers: Mapping[str, str]) -> Source:
    """`headers` have names in lower case."""
    says = []
    for name in _ADDRESSES_OF:
        if name in headers:
            says.append(f"{name} {quoted(headers[name])}")
            break
    else:
        if is_forwarded(headers):
            says.append("passed on by a proxy")
    origin = headers.get("origin")
    if origin is not None:
        says.append(f"origin {quoted(origin)}")
    elif (page := Origin.of_url(headers.get("referer", ""))) is not None:
        says.append(f"page of {quoted(str(page))}")  # not its path and query, which are its own
    if "sec-fetch-site" in headers:
        says.append(f"sec-fetch-site {quoted(headers['sec-fetch-site'])}")
    return Source(ip, ", ".join(says))
