"""Which kinds of addresses the name of a host has."""

from __future__ import annotations

import socket

import trio

from kong_mesh_cp.core.formats.addresses import is_dns_name, is_ip

LOOKUP_SECONDS_MAX = 2.0  # a proxy waits for the answer


async def has_only_ipv4(host: str) -> bool:
    """False for addresses, for localhost, and where nobody knows the name."""
    if is_ip(host) or host == "localhost" or not is_dns_name(host):
        return False
    families: set[int] = set()
    with trio.move_on_after(LOOKUP_SECONDS_MAX):
        try:
            answers = await trio.socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            return False
        families = {family for family, *_ in answers}
    return families == {socket.AF_INET}
