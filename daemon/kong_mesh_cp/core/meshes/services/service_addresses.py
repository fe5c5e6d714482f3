"""Virtual addresses of MeshServices and their kin: one range a kind, one address a service.

An address is not given again before the range has been gone through: who still calls the old
service must not reach another one.

Source: docs/wire/services.md#virtual-addresses
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

CONFIG_NAME: Final = "kong-mesh-service-vips"  # of the Config with the last one of each range

Network = IPv4Network | IPv6Network


def render(last: Mapping[str, str]) -> str:
    """The text of the Config: the address given last, by range."""
    return json.dumps(dict(sorted(last.items())), separators=(",", ":"))


def parse(text: str) -> dict[str, str]:
    """The reverse. What is not readable counts as nothing: addresses in use are seen anyway."""
    try:
        found = json.loads(text)
    except (RecursionError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def next_address(network: Network, last: str | None, taken: Container[str]) -> str | None:
    """The first one behind `last` that is not `taken`, from the beginning again; None: all are.

    It takes as long as there are taken ones in a row.
    """
    size = network.num_addresses
    first = int(network.network_address)
    start = _offset(network, last)
    for step in range(size):
        address = str(ip_address(first + (start + step) % size))
        if address not in taken:
            return address
    return None


def _offset(network: Network, last: str | None) -> int:
    """Where to look first; at the beginning where the range is another one than it was."""
    if last is None:
        return 0
    try:
        found = ip_address(last)
    except ValueError:
        return 0
    return int(found) - int(network.network_address) + 1 if found in network else 0
