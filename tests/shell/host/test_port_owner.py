"""Who has a port: said when it can be seen."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.shell.host.port_owner import describe_port_owner

LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


def test_another_process_is_named_with_its_pid() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        name = Path(f"/proc/{child.pid}/comm").read_text().strip()

        assert describe_port_owner(port) == f"{name} (pid {child.pid})"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_address_families_are_seen(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()

        assert f"(pid {os.getpid()})" in describe_port_owner(server.getsockname()[1])


def test_a_port_that_is_only_connected_from_has_no_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())

        assert describe_port_owner(client.getsockname()[1]) == ""


def test_a_free_port_has_no_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert describe_port_owner(port) == ""


def test_a_hidden_proc_names_nobody(tmp_path: Path) -> None:
    assert describe_port_owner(80, tmp_path) == ""


def _made_up_proc(proc: Path, comm: bytes) -> None:
    (proc / "net").mkdir(parents=True)
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode"
    line = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1"
    (proc / "net/tcp").write_text(f"{header}\n{line}\n")
    (proc / "812/fd").mkdir(parents=True)
    (proc / "812/fd/5").symlink_to("socket:[4711]")
    (proc / "812/comm").write_bytes(comm)


def test_a_process_may_be_called_anything_and_stays_on_one_line(tmp_path: Path) -> None:
    _made_up_proc(tmp_path, b"evil\nname\x1b[2J\xff\n")

    owner = describe_port_owner(80, tmp_path)

    assert owner.endswith(" (pid 812)")
    assert owner.isprintable()


def test_a_process_that_ends_meanwhile_is_still_numbered(tmp_path: Path) -> None:
    _made_up_proc(tmp_path, b"nginx\n")
    (tmp_path / "812/comm").unlink()

    assert describe_port_owner(80, tmp_path) == "a process (pid 812)"
