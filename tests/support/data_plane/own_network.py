"""A network of a test's own: traffic to virtual addresses is redirected to a proxy in it, or every
address is its own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET
_COMMAND_SECONDS_MAX: Final = 60.0  # generous: for one command on a busy machine


def _run(*argv: str) -> str:
    """Why it fails, or ""."""
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=_COMMAND_SECONDS_MAX, check=False
    )
    return done.stderr.strip() if done.returncode else ""


@contextmanager
def own_network(redirected: str, port: int) -> Iterator[None]:
    """Of this thread and what it starts inside of the block: loopback alone, with connections to
    the addresses of `redirected` handed to `port`, as a machine's rules do it.
    """
    rule = ("-p", "tcp", "-d", redirected, "-j", "REDIRECT", "--to-ports", str(port))
    with _network():
        for argv in (
            ("ip", "route", "add", redirected, "dev", "lo", "src", "127.0.0.1"),
            ("iptables", "-t", "nat", "-A", "OUTPUT", *rule),
        ):
            if reason := _run(*argv):
                pytest.skip(f"no rules can be made here: {reason}")
        yield


@contextmanager
def network_of_any_address() -> Iterator[None]:
    """Likewise, in which programs may listen at every address, whoever's it is."""
    with _network():
        for version in ("ipv4", "ipv6"):
            file = Path(f"/proc/sys/net/{version}/ip_nonlocal_bind")
            try:
                file.write_text("1")
            except OSError as error:
                pytest.skip(f"only own addresses can be listened at here: {error}")
        yield


@contextmanager
def _network() -> Iterator[None]:
    if os.geteuid() != 0 or shutil.which("iptables") is None or shutil.which("ip") is None:
        pytest.skip("a network of its own takes root, iptables and iproute2")
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        if libc.unshare(_NEW_NETWORK):
            pytest.skip(f"no network of its own: {os.strerror(ctypes.get_errno())}")
        try:
            if reason := _run("ip", "link", "set", "lo", "up"):
                pytest.skip(f"no network of its own: {reason}")
            yield
        finally:
            assert libc.setns(before.fileno(), _NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
