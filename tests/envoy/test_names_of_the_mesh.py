"""Names of services, from the control plane's table to an asker, through a real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kuma_dp.dns.serving import DnsSettings
from support.daemons.daemon import free_port
from support.data_plane.dig import Dug, dig
from support.data_plane.dns_peers import DnsServer, address_record, always
from support.data_plane.envoy_stage import staged
from support.data_plane.served_names import names_served
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system


async def found(port: int, name: str) -> Dug:
    """What is found, as soon as the table has come to Envoy."""
    with trio.fail_after(HANG_SECONDS):
        while True:
            dug = await dig(port, name, "A")
            if dug.addresses and dug.addresses[0].startswith("24"):
                return dug
            await trio.sleep(0.1)


async def test_a_service_is_found_by_its_name_and_other_names_by_the_machine(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        dns_port = free_port()
        stage.launch_transparent(stage.proxy("backend-1", "backend"), dns_port, free_port())
        machine = DnsServer(always(address_record("192.0.2.7")))
        async with names_served(tmp_path, dns_port, machine, DnsSettings()) as port:
            dug = await found(port, "backend.mesh")
            assert dug.status == "NOERROR"
            assert dug.warnings == []
            assert (await dig(port, "BACKEND.Mesh", "A")).addresses == dug.addresses
            other = await dig(port, "backend.mesh", "AAAA")
            assert (other.status, other.addresses) == ("NOERROR", [])
            assert (await dig(port, "backend.mesh", "A", "+tcp")).addresses == dug.addresses
            assert (await dig(port, "example.org", "A")).addresses == ["192.0.2.7"]
            assert (await dig(port, "backend.mesh", "HTTPS")).status == "NOERROR"
