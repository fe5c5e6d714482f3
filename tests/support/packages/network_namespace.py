"""A network namespace of a test's own: rules for iptables that are in force there only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DAEMON = Path(__file__).parents[3] / "daemon"
SECONDS = 120.0  # generous: for one command on a busy machine
KINDS = ("nft", "legacy")


def why_not() -> str:
    """Why there can be none here, or ""."""
    if os.geteuid() != 0:
        return "a network namespace takes root"
    needed = ("unshare", "nsenter", "ip", "setpriv", *(f"iptables-{kind}-save" for kind in KINDS))
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} are not installed: apt-get install iptables iproute2"
    tried = subprocess.run(
        ["unshare", "-n", "sh", "-c", "iptables-nft-save -t nat && iptables-legacy-save -t nat"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return "" if tried.returncode == 0 else f"no rules can be made here: {tried.stderr.strip()}"


@dataclass(frozen=True)
class Namespace:
    """One that is held by the process `pid`; its loopback interface is up."""

    pid: int
    home: Path

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "--", *argv],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(DAEMON), "HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr + done.stdout
        return done

    def kumactl(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "kumactl", *argv, check=check)

    def rules(self, kind: str = "nft", family: str = "iptables") -> list[str]:
        """All rules, as iptables-save writes them, without counters and times."""
        saved = self.run(f"{family}-{kind}-save").stdout
        return [line for line in saved.splitlines() if line.startswith("-A")]


@contextmanager
def namespace(home: Path, *, ipv6: bool = True) -> Iterator[Namespace]:
    """A new one, gone when the block ends."""
    if reason := why_not():
        pytest.skip(reason)
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo there; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "there\n"
            found = Namespace(holder.pid, home)
            found.run("ip", "link", "set", "lo", "up")
            if ipv6:
                found.run("ip", "-6", "addr", "add", "fd00::1/64", "dev", "lo")
            yield found
        finally:
            assert holder.stdin is not None
            holder.stdin.close()
