"""Names asked for anywhere come to the DNS server of the proxy, by the rules of kumactl."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.data_plane.dig import Dug
from support.packages.network_namespace import DAEMON, Namespace, namespace

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).parents[1] / "support" / "data_plane" / "names_program.py"
ELSEWHERE = ("8.8.8.8", "127.0.0.53", "10.77.0.2")  # a network's, systemd's, the machine's own


@contextmanager
def names(there: Namespace, folder: Path) -> Iterator[None]:
    """Served in the namespace by root, whose own queries the rules let out."""
    command = [
        "nsenter",
        "-t",
        str(there.pid),
        "-n",
        "--",
        sys.executable,
        str(PROGRAM),
        str(folder),
    ]
    environment = {"PYTHONPATH": f"{DAEMON}:{PROGRAM.parents[2]}", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdin is not None
        assert served.stdout is not None
        try:
            assert served.stdout.readline() == "ready\n"
            yield
        finally:
            served.stdin.close()


def dug(there: Namespace, server: str, *options: str) -> Dug:
    """What a program of another user is told."""
    done = there.run(
        *("setpriv", "--reuid=nobody", "--clear-groups"),
        *("dig", f"@{server}", "+tries=1", "+timeout=30", *options),
        check=False,
    )
    return Dug(done.stdout)


def test_whoever_is_asked_the_proxys_server_answers(tmp_path: Path) -> None:
    """Also from another address than that of the loopback interface, and over TCP."""
    if shutil.which("dig") is None:
        pytest.skip("there is no dig: apt-get install bind9-dnsutils")
    with namespace(tmp_path) as there:
        for line in (
            "link add outside type veth peer name far",
            "addr add 10.77.0.2/24 dev outside",
            "link set outside up",
            "route add default via 10.77.0.1",
        ):
            there.run("ip", *line.split())
        there.kumactl(
            *("install", "transparent-proxy", "--kuma-dp-user", "root"),
            "--redirect-all-dns-traffic",
        )
        with names(there, tmp_path):
            for server in ELSEWHERE:
                for way in ((), ("+tcp",)):
                    found = dug(there, server, "backend.mesh", *way)
                    assert (found.status, found.addresses) == ("NOERROR", ["240.0.0.1"]), server
                    other = dug(there, server, "example.org", *way)
                    assert other.addresses == ["192.0.2.7"], server
