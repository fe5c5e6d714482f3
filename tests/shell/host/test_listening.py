"""TCP listeners: opened, or refused with the setting to change."""

from __future__ import annotations

import os
import socket

import pytest

from kong_mesh_cp.core.errors import EX_UNAVAILABLE, ListenError
from kong_mesh_cp.shell.host.listening import address_of, open_tcp
from support.fakes.users import needs_root, without_root
from support.suites.patience import HANG_SECONDS

SETTING = "KUMA_API_SERVER_HTTP_PORT"


@pytest.mark.parametrize("interface", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_listener_takes_connections_where_it_says(interface: str) -> None:
    with open_tcp(interface, 0, setting=SETTING) as listener:
        assert not listener.getblocking()
        assert not listener.get_inheritable()
        shown = address_of(listener).partition(" ")[0]
        host, _, port = shown.removeprefix("http://").rpartition(":")
        with socket.create_connection(
            (host.strip("[]"), int(port)), timeout=HANG_SECONDS
        ) as client:
            assert client.getpeername()[1] == listener.getsockname()[1]


@pytest.mark.parametrize(
    ("interface", "shown"),
    [
        ("0.0.0.0", "http://127.0.0.1:PORT (0.0.0.0:PORT: all addresses)"),
        ("::", "http://[::1]:PORT ([::]:PORT: all addresses)"),
        ("127.0.0.2", "http://127.0.0.2:PORT"),
        ("::1", "http://[::1]:PORT"),
    ],
)
def test_the_address_shown_can_be_typed_and_says_who_else_reaches_it(
    interface: str, shown: str
) -> None:
    with open_tcp(interface, 0, setting=SETTING) as listener:
        port = str(listener.getsockname()[1])
        assert address_of(listener).replace(port, "PORT") == shown


def test_a_restart_does_not_wait_for_the_connections_of_before() -> None:
    with open_tcp("127.0.0.1", 0, setting=SETTING) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS):
            listener.setblocking(True)
            accepted, _ = listener.accept()
            accepted.close()  # the side that closes first is left in TIME_WAIT

    open_tcp("127.0.0.1", port, setting=SETTING).close()


def test_a_port_that_is_taken_is_refused_naming_process_and_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as refused:
            open_tcp("127.0.0.1", port, setting=SETTING)

    assert refused.value.code == "port-taken"
    assert refused.value.exit_status == EX_UNAVAILABLE
    assert f"port {port} on 127.0.0.1 is taken by " in refused.value.message
    assert f"(pid {os.getpid()})" in refused.value.message
    assert SETTING in refused.value.hint


@needs_root
def test_a_port_of_the_system_is_refused_to_an_ordinary_user() -> None:
    with without_root(), pytest.raises(ListenError) as refused:
        open_tcp("127.0.0.1", 81, setting=SETTING)

    assert refused.value.code == "port-forbidden"
    assert SETTING in refused.value.hint


def test_an_address_of_another_machine_is_refused() -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    with pytest.raises(ListenError) as refused:
        open_tcp("192.0.2.1", 0, setting=SETTING)

    assert refused.value.code == "address-unknown"
    assert "192.0.2.1" in refused.value.message


def test_all_addresses_are_those_of_both_versions() -> None:
    with open_tcp("::", 0, setting=SETTING) as listener:
        port = listener.getsockname()[1]
        for near in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            socket.create_connection((near, port), timeout=HANG_SECONDS).close()
