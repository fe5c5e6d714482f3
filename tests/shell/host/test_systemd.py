"""What the service manager is told in datagrams, and what it hands over in descriptors."""

from __future__ import annotations

import gc
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.shell.host.systemd import ServiceManager, inherited_sockets


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end: a datagram socket named by NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(os.fspath(tmp_path / "notify"))
        end.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield end


def datagrams(end: socket.socket) -> list[str]:
    received = []
    while True:
        try:
            received.append(end.recv(65536).decode())
        except BlockingIOError:
            return received


def test_ready_comes_with_a_status(heard: socket.socket) -> None:
    with ServiceManager() as manager:
        manager.ready("0 of 5 data plane proxies")

    assert datagrams(heard) == ["READY=1\nSTATUS=0 of 5 data plane proxies"]


def test_a_status_is_sent_only_when_it_changes(heard: socket.socket) -> None:
    with ServiceManager() as manager:
        manager.ready("one")
        for text in ("one", "two", "two", "one"):
            manager.status(text)

    assert datagrams(heard)[1:] == ["STATUS=two", "STATUS=one"]


def test_a_reload_says_when_it_began(heard: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    with ServiceManager() as manager:
        manager.reloading()
    after = time.monotonic_ns() // 1000

    (said,) = datagrams(heard)
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", said)
    assert found
    assert before <= int(found.group(1)) <= after


def test_a_stop_a_refusal_and_a_sign_of_life_have_their_words(heard: socket.socket) -> None:
    with ServiceManager() as manager:
        manager.stopping("stopping: waiting for requests to end")
        manager.refused("license-expired: over", 22)
        manager.alive()

    assert datagrams(heard) == [
        "STOPPING=1\nSTATUS=stopping: waiting for requests to end",
        "STATUS=license-expired: over\nERRNO=22",
        "WATCHDOG=1",
    ]


def test_an_abstract_socket_is_spoken_to_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"kong-mesh-cp-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0{name}")
        end.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        with ServiceManager() as manager:
            manager.alive()

        assert datagrams(end) == ["WATCHDOG=1"]


# sdnotify leaves the socket that it could not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("address", [None, "", "/nowhere/notify"])
def test_without_a_service_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    with ServiceManager() as manager:
        manager.ready("one")
        manager.status("two")
        manager.alive()
    gc.collect()


def test_no_descriptor_is_touched_when_none_is_announced() -> None:
    assert inherited_sockets(()) == {}


INHERIT = """
import json, sys
from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.shell.host.systemd import inherited_sockets
try:
    given = inherited_sockets(tuple(sys.argv[1:]))
except ListenError as error:
    print(error.line)
    sys.exit(error.exit_status)
for name, sockets in given.items():
    for one in sockets:
        print(name, one.fileno(), one.getblocking(), one.get_inheritable(), one.getsockname())
        one.close()
"""


def inherit(redirections: str, *names: str) -> subprocess.CompletedProcess[str]:
    """A child whose descriptors from 3 on are what `redirections` of bash say."""
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {redirections}', "bash", sys.executable, "-c", INHERIT, *names],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        close_fds=False,
        capture_output=True,
        text=True,
        check=False,
    )


def test_sockets_are_distinguished_by_their_names_in_order(tmp_path: Path) -> None:
    listeners = []
    for number in range(3):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.fspath(tmp_path / f"{number}.sock"))
        listener.listen()
        listener.set_inheritable(True)
        listeners.append(listener)
    redirections = " ".join(
        f"{3 + number}<&{listener.fileno()}" for number, listener in enumerate(listeners)
    )
    # Bash redirects one after the other: the originals must lie above the targets.
    assert all(listener.fileno() > 5 for listener in listeners), "pytest itself has some open"
    done = inherit(redirections, "admission", "other", "admission")
    for listener in listeners:
        listener.close()

    assert done.stdout.splitlines() == [
        f"admission 3 False False {tmp_path}/0.sock",
        f"admission 5 False False {tmp_path}/2.sock",
        f"other 4 False False {tmp_path}/1.sock",
    ]


@pytest.mark.parametrize("redirections", ["3</dev/null", "3<&-"])
def test_a_promised_descriptor_that_is_no_socket_is_a_refusal(redirections: str) -> None:
    done = inherit(redirections, "admission")

    assert done.returncode == ListenError.exit_status
    assert done.stdout.startswith("socket-not-inherited: LISTEN_FDS promises")
    assert done.stderr == ""
