"""What dig, which is not ours, makes of the DNS server."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuma_dp.dns.serving import DnsSettings
from support.data_plane.dig import dig
from support.data_plane.dns_peers import DnsServer, address_record, always, like_envoy
from support.data_plane.served_names import names_served

MESH = like_envoy(backend_mesh="240.0.0.1")


@pytest.mark.parametrize("options", [(), ("+noedns",), ("+tcp",), ("+cookie=aabbccddeeff0011",)])
async def test_dig_finds_a_name_of_the_mesh(tmp_path: Path, options: tuple[str, ...]) -> None:
    machine = DnsServer(always())
    async with names_served(tmp_path, DnsServer(MESH), machine, DnsSettings()) as port:
        dug = await dig(port, "Backend.mesh", "A", *options)

        assert (dug.status, dug.addresses) == ("NOERROR", ["240.0.0.1"])
        assert dug.warnings == []
        assert machine.asked == []


async def test_dig_finds_no_other_data_of_that_name(tmp_path: Path) -> None:
    async with names_served(tmp_path, DnsServer(MESH), DnsServer(always()), DnsSettings()) as port:
        dug = await dig(port, "backend.mesh", "AAAA")
        assert (dug.status, dug.addresses, dug.warnings) == ("NOERROR", [], [])


@pytest.mark.parametrize("options", [(), ("+tcp",)])
async def test_dig_finds_a_name_of_the_machine(tmp_path: Path, options: tuple[str, ...]) -> None:
    machine = DnsServer(always(address_record("192.0.2.7")))
    async with names_served(tmp_path, DnsServer(MESH), machine, DnsSettings()) as port:
        dug = await dig(port, "example.org", "A", *options)
        assert (dug.status, dug.addresses) == ("NOERROR", ["192.0.2.7"])


async def test_dig_gets_a_long_answer_over_tcp(tmp_path: Path) -> None:
    """The server of the machine sends more than fits, without a word: dig asks again by itself."""
    machine = DnsServer(always(*[address_record("192.0.2.7")] * 100))
    async with names_served(tmp_path, DnsServer(MESH), machine, DnsSettings()) as port:
        dug = await dig(port, "example.org", "A", "+noedns")
        assert dug.addresses == ["192.0.2.7"] * 100
