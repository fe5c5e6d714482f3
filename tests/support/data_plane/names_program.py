"""A DNS server of a proxy with both its sources, as a program: for a network namespace.

usage: names_program.py FOLDER. Says "ready", and ends with its standard input.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import trio

from kuma_dp.dns.serving import DnsSettings, serve
from support.data_plane.dns_peers import DnsServer, address_record, always, like_envoy


async def main(folder: Path) -> None:
    envoy = DnsServer(like_envoy(backend_mesh="240.0.0.1"))
    machine = DnsServer(always(address_record("192.0.2.7")))
    file = folder / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    async with trio.open_nursery() as nursery:
        await nursery.start(envoy.serve)
        await nursery.start(machine.serve)
        settings = DnsSettings(
            envoy_port=envoy.port, name_servers_file=file, name_servers_port=machine.port
        )
        await nursery.start(partial(serve, settings))
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
