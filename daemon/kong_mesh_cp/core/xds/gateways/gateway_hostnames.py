"""Host names and wildcards for them, as listeners and routes of gateways have them.

Source: docs/wire/gateways.md#hosts
"""

from __future__ import annotations

from collections.abc import Iterable

from kong_mesh_cp.core.xds.gateways.gateway_plan import ANY_HOST


def covers(wider: str, name: str) -> bool:
    """Every host that `name` is for, `wider` is for, too. "" is any."""
    host, *domain = (wider or ANY_HOST).split(".")
    other, *inside = (name or ANY_HOST).split(".")
    if len(domain) > len(inside) or inside[len(inside) - len(domain) :] != domain:
        return False
    return host == ANY_HOST or (host == other and len(domain) == len(inside))


def meets(name: str, others: Iterable[str]) -> bool:
    """Some host that `name` is for, one of `others` is for, too."""
    return any(covers(name, each) or covers(each, name) for each in others)


def exactness(name: str) -> tuple[bool, int, str]:
    """The key by which the more exact of two names comes first."""
    host, *domain = (name or ANY_HOST).split(".")
    is_wildcard = host == ANY_HOST
    return is_wildcard, -len(domain) if is_wildcard else 0, name
