"""The DNS server of a proxy between its two sources, on free ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from kuma_dp.dns.serving import DnsSettings, serve
from support.data_plane.dns_peers import DnsServer


@asynccontextmanager
async def names_served(
    tmp_path: Path, envoy: DnsServer | int, machine: DnsServer, settings: DnsSettings
) -> AsyncIterator[int]:
    """Its port. `envoy`: what stands for Envoy, or the port of a real one."""
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    async with trio.open_nursery() as nursery:
        if isinstance(envoy, DnsServer):
            await nursery.start(envoy.serve)
        await nursery.start(machine.serve)
        placed = replace(
            settings,
            port=0,
            envoy_port=envoy.port if isinstance(envoy, DnsServer) else envoy,
            addresses=("127.0.0.1",),
            name_servers_file=file,
            name_servers_port=machine.port,
        )
        yield await nursery.start(partial(serve, placed))
        nursery.cancel_scope.cancel()
