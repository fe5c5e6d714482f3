"""The machine's names, against what its tools say."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess

import pytest

from kong_mesh_cp.shell.host.interfaces import names_of_this_machine


def test_host_name_and_loopback_are_among_them_once() -> None:
    names = names_of_this_machine()
    assert {socket.gethostname(), "localhost", "127.0.0.1"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2")
def test_every_address_of_every_interface_is_among_them() -> None:
    output = subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout
    addresses = {
        address["local"] for interface in json.loads(output) for address in interface["addr_info"]
    }
    host_names = {socket.gethostname(), "localhost"}
    assert set(names_of_this_machine()) - host_names == addresses
