"""What every `PeerAttestor` does, the real one and the fake one."""

from __future__ import annotations

import os
import pwd
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from kong_mesh_cp.shell.host.peers import SocketPeer
from kong_mesh_cp.shell.listening.acceptor import peer_of
from kong_mesh_cp.usecases.ports.state_store import PeerAttestor
from support.fakes.peers import FakePeer, attested


@dataclass
class Subject:
    """An attestor, and the ways in which its process can leave."""

    peer: PeerAttestor
    pid: int
    close: Callable[[], None]
    kill: Callable[[], None]


@contextmanager
def real() -> Iterator[Subject]:
    """A child process that connects, and whose connection also lives in this process."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0kong-mesh-cp-test-{os.getpid()}")
    listener.listen()
    hand_over, take_over = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        client = socket.socket(socket.AF_UNIX)
        client.connect(listener.getsockname())
        socket.send_fds(hand_over, [b"x"], [client.fileno()])
        client.close()
        signal.pause()
        os._exit(0)
    with listener, hand_over, take_over:
        _, (descriptor,), _, _ = socket.recv_fds(take_over, 1, 1)
        client = socket.socket(fileno=descriptor)
        connection, _ = listener.accept()
        alive = True

        def kill() -> None:
            nonlocal alive
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            alive = False

        credentials = peer_of(connection).credentials
        assert credentials is not None
        with connection, client:
            yield Subject(SocketPeer(connection, credentials), pid, client.close, kill)
        if alive:
            kill()


@contextmanager
def fake() -> Iterator[Subject]:
    user = pwd.getpwuid(os.getuid()).pw_name
    peer = FakePeer(attested(uid=os.getuid(), gid=os.getgid(), user=user))

    def close() -> None:
        peer.at_eof = True

    def kill() -> None:
        peer.ended = True

    yield Subject(peer, peer.pid, close, kill)


@pytest.fixture(params=[real, fake], ids=["socket", "fake"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with request.param() as made:
        yield made


async def test_it_knows_who_connected(subject: Subject) -> None:
    peer = await subject.peer.attest(names=False)

    assert (peer.pid, peer.uid, peer.gid) == (subject.pid, os.getuid(), os.getgid())
    assert (subject.peer.pid, subject.peer.uid) == (peer.pid, peer.uid)
    assert peer.gid in peer.gids


async def test_names_are_reported_only_when_asked_for(subject: Subject) -> None:
    without = await subject.peer.attest(names=False)
    named = await subject.peer.attest(names=True)

    assert (without.user, without.groups) == (None, frozenset())
    assert named.user == pwd.getpwuid(os.getuid()).pw_name


async def test_a_living_connected_process_is_not_gone(subject: Subject) -> None:
    assert subject.peer.gone() is False
    assert subject.peer.gone() is False


async def test_a_closed_connection_is_gone(subject: Subject) -> None:
    subject.close()

    assert subject.peer.gone() is True


async def test_an_ended_process_is_gone_though_its_connection_lives_on(subject: Subject) -> None:
    subject.kill()

    assert subject.peer.gone() is True
