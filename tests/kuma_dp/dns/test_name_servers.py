"""The servers that a machine names."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.dns.name_servers import LOOK_SECONDS, NameServers, named_servers


def test_servers_come_in_the_order_of_their_lines() -> None:
    text = "# of the network\nsearch example.org\nnameserver 10.0.0.1\n nameserver fe80::1%eth0\n"
    assert named_servers(text) == ("10.0.0.1", "fe80::1%eth0")


def test_lines_that_name_no_address_are_passed_over() -> None:
    text = "nameserver\nnameserver dns.example.org\n;nameserver 10.0.0.1\nnameserver 10.0.0.2\n"
    assert named_servers(text) == ("10.0.0.2",)


def test_no_more_are_taken_than_the_c_library_takes() -> None:
    text = "".join(f"nameserver 10.0.0.{n}\n" for n in range(9))
    assert named_servers(text) == ("10.0.0.0", "10.0.0.1", "10.0.0.2")


def test_where_none_is_named_it_is_this_machine() -> None:
    assert named_servers("options edns0\n") == ("127.0.0.1",)


@given(st.text())
def test_any_text_names_some_server(text: str) -> None:
    assert 1 <= len(named_servers(text)) <= 3


@pytest.mark.usefixtures("autojump_clock")
async def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 10.0.0.1\n")
    servers = NameServers(file, 53, never=frozenset())
    assert servers.now() == (("10.0.0.1", 53),)
    new = tmp_path / "new"
    new.write_text("nameserver 10.0.0.2\n")
    new.rename(file)
    assert servers.now() == (("10.0.0.1", 53),), "it is not looked at for each query"
    await trio.sleep(LOOK_SECONDS)
    assert servers.now() == (("10.0.0.2", 53),)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_file_that_is_gone_leaves_what_it_said(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    servers = NameServers(file, 53, never=frozenset())
    assert servers.now() == ()
    file.write_text("nameserver 10.0.0.1\n")
    await trio.sleep(LOOK_SECONDS)
    assert servers.now() == (("10.0.0.1", 53),)
    file.unlink()
    await trio.sleep(LOOK_SECONDS)
    assert servers.now() == (("10.0.0.1", 53),)


async def test_who_asks_is_never_asked(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\nnameserver 10.0.0.2\n")
    servers = NameServers(file, 53, never=frozenset({("127.0.0.1", 53)}))
    assert servers.now() == (("10.0.0.2", 53),)
