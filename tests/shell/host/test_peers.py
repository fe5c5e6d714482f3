from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_mesh_cp.core.admission.attestation import InUnit, NoUnit, UnitUnseen
from kong_mesh_cp.shell.host.peers import SocketPeer, unit_by_start_time, unit_while
from kong_mesh_cp.shell.listening.acceptor import peer_of
from kong_mesh_cp.shell.listening.peer import Credentials

BACKEND = "0::/system.slice/backend.service\n"
NOBODY = 65534


def process(proc: Path, pid: int, *, cgroup: str | None = BACKEND, started: int = 100) -> Path:
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    if cgroup is not None:
        (folder / "cgroup").write_text(cgroup)
    fields = " ".join(["S", *["0"] * 18, str(started), *["0"] * 20])
    (folder / "stat").write_text(f"{pid} (a name) with) parens) {fields}\n")
    return folder


def alive() -> bool:
    return True


def test_the_unit_is_read_from_the_control_group(tmp_path: Path) -> None:
    process(tmp_path, 7)

    assert unit_while(alive, 7, tmp_path) == InUnit("backend.service")


def test_no_unit_is_not_the_same_as_an_unseen_one(tmp_path: Path) -> None:
    process(tmp_path, 7, cgroup="0::/user.slice/user-1000.slice/session-1.scope\n")

    assert unit_while(alive, 7, tmp_path) == NoUnit()


@pytest.mark.parametrize("answers", [[False], [True, False]])
def test_a_process_that_ends_around_the_reading_has_no_known_unit(
    tmp_path: Path, answers: list[bool]
) -> None:
    process(tmp_path, 7)
    remaining = iter(answers)

    sight = unit_while(lambda: next(remaining), 7, tmp_path)

    assert isinstance(sight, UnitUnseen)
    assert "ended" in sight.reason
    assert next(remaining, None) is None


def test_a_living_process_that_proc_does_not_show_is_reported_with_the_remedy(
    tmp_path: Path,
) -> None:
    sight = unit_while(alive, 7, tmp_path)

    assert isinstance(sight, UnitUnseen)
    assert "/proc hides" in sight.reason
    assert "ProtectProc" in sight.remedy


@pytest.mark.parametrize(
    "look", [lambda pid, proc: unit_while(alive, pid, proc), unit_by_start_time]
)
def test_a_process_of_another_pid_namespace_is_not_looked_up_by_number_0(
    tmp_path: Path, look: object
) -> None:
    assert callable(look)
    sight = look(0, tmp_path)

    assert isinstance(sight, UnitUnseen)
    assert "pid namespace" in sight.reason


def test_bytes_that_are_not_utf8_in_a_group_name_do_no_harm(tmp_path: Path) -> None:
    folder = process(tmp_path, 7)
    (folder / "cgroup").write_bytes(b"0::/\xff.slice/a.service\n")

    assert unit_while(alive, 7, tmp_path) == InUnit("a.service")


def test_without_pidfds_the_start_time_vouches_for_the_process(tmp_path: Path) -> None:
    process(tmp_path, os.getpid())

    assert unit_by_start_time(os.getpid(), tmp_path) == InUnit("backend.service")


class RecycledNumber(type(Path())):  # type: ignore[misc]
    """A /proc whose process is another one after its control group was read."""

    def read_bytes(self) -> bytes:
        content: bytes = super().read_bytes()
        if self.name == "cgroup":
            process(Path(self.parent.parent), int(self.parent.name), started=200)
        return content


def test_a_process_id_that_changes_hands_while_we_read_is_noticed(tmp_path: Path) -> None:
    process(tmp_path, 7)

    sight = unit_by_start_time(7, RecycledNumber(tmp_path))

    assert isinstance(sight, UnitUnseen)
    assert "ended" in sight.reason


def test_without_pidfds_a_hidden_process_is_told_from_an_ended_one(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()

    hidden = unit_by_start_time(os.getpid(), tmp_path)
    ended = unit_by_start_time(child.pid, tmp_path)

    assert isinstance(hidden, UnitUnseen)
    assert isinstance(ended, UnitUnseen)
    assert "hides" in hidden.reason
    assert "ended" in ended.reason


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        yield ours, theirs


async def test_the_groups_of_the_peer_are_those_of_the_kernel(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = connected
    credentials = peer_of(ours).credentials
    assert credentials is not None

    peer = await SocketPeer(ours, credentials).attest(names=True)

    assert peer.gids == {os.getgid(), *os.getgroups()}
    assert len(peer.groups) <= len(peer.gids)


async def test_this_very_process_is_seen_as_the_kernel_shows_it(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = connected

    peer = await SocketPeer(ours, Credentials(os.getpid(), os.getuid(), os.getgid())).attest(
        names=False
    )

    assert peer.unit == unit_while(alive, os.getpid())


def test_data_that_waits_to_be_read_is_not_an_end(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = connected
    peer = SocketPeer(ours, Credentials(os.getpid(), os.getuid(), os.getgid()))
    theirs.send(b"noise")

    assert peer.gone() is False
    assert ours.recv(16) == b"noise"
    theirs.shutdown(socket.SHUT_WR)
    assert peer.gone() is True


def test_a_connection_that_we_closed_is_gone(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = connected
    peer = SocketPeer(ours, Credentials(os.getpid(), os.getuid(), os.getgid()))
    ours.close()

    assert peer.gone() is True


async def test_a_user_without_a_name_has_none() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = SocketPeer(ours, Credentials(os.getpid(), 3_999_999_999, 3_999_999_998))

        assert (await peer.attest(names=True)).user is None


@pytest.mark.skipif(os.getuid() != 0, reason="changing the user needs root")
async def test_a_process_that_changed_its_user_before_connecting_is_the_new_one() -> None:
    script = (
        "import os, socket, sys\n"
        "os.setgroups([7, 8]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(chr(0) + sys.argv[1]); sys.stdin.read()"
    )
    name = f"kong-mesh-cp-test-user-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        child = subprocess.Popen([sys.executable, "-c", script, name], stdin=subprocess.PIPE)
        connection, _ = listener.accept()
        with connection:
            credentials = peer_of(connection).credentials
            assert credentials is not None
            peer = await SocketPeer(connection, credentials).attest(names=False)
        child.communicate()

    assert (peer.pid, peer.uid, peer.gid) == (child.pid, NOBODY, NOBODY)
    assert peer.gids == {7, 8, NOBODY}
