"""Clients that dawdle, never read, or take many connections: they harm nobody but themselves."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.fakes.users import needs_root, reachable_directory, without_root
from support.licenses.licenses import keyring_json, license_document
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

DRIPPING = 50
IDLE = 300
HELD = 300
OTHERS = 100
UID_CONNECTIONS_MAX = 64  # as it is set here for one user; root has no limit
PROXIES_OF_ONE_USER = 150
DESCRIPTORS_FEW = 128
API_CONNECTIONS_MAX = 1024
EVENTS = 1500  # far more than fit into the buffers between the daemon and one client
REQUEST = b"GET /v1/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANSWER_SECONDS_MAX = HANG_SECONDS


@contextlib.contextmanager
def licensed(
    directory: Path, dataplanes: int = 1000, **settings: str
) -> Iterator[tuple[Daemon, Path]]:
    directory.mkdir(exist_ok=True)
    (directory / "keyring.json").write_bytes(keyring_json())
    place = directory / "license.json"
    place.write_bytes(license_document(dataplanes=dataplanes))
    flags = ("--license-keyring", str(directory / "keyring.json"))
    environment = {"KMESH_LICENSE_PATH": str(place), **settings}
    with running(directory / "d", *flags, environment=environment) as daemon:
        yield daemon, place


def to_admission(daemon: Daemon) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS_MAX)
    connection.connect(os.fspath(daemon.socket))
    return connection


def to_api(daemon: Daemon) -> socket.socket:
    host, _, port = daemon.addresses["api"].removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS_MAX)


LISTENERS = pytest.mark.parametrize("connect", [to_admission, to_api])
Connect = Callable[[Daemon], socket.socket]


def others_are_served(daemon: Daemon, count: int = OTHERS) -> None:
    """Whole admissions, and every other door."""
    for number in range(count):
        with daemon.seat(f"other-{number}") as seat:
            assert seat.admitted, seat.first
    assert daemon.local("GET", "/v1/ready").status == 200
    assert daemon.api("GET", "/license").status == 200
    assert daemon.diagnostics("/ready").status == 200


class Dripping:
    """A client that sends a request byte by byte, for ever: its head never ends."""

    def __init__(self, connection: socket.socket) -> None:
        self.heard = b""
        self._connection = connection
        connection.setblocking(False)
        connection.send(b"GET /v1/ready HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

    def drip(self) -> bool:
        """One byte more. True once the daemon has ended the connection."""
        with contextlib.suppress(ConnectionError):  # what was said before can still be read
            self._connection.send(b"x")
        try:
            received = self._connection.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        self.heard += received
        return not received


@LISTENERS
def test_clients_that_dawdle_keep_nobody_waiting(tmp_path: Path, connect: Connect) -> None:
    with licensed(tmp_path) as (daemon, _), ExitStack() as stack:
        slow = [Dripping(stack.enter_context(connect(daemon))) for _ in range(DRIPPING)]
        for _ in range(3):
            for one in slow:
                one.drip()
            others_are_served(daemon, OTHERS // 3)
        assert not any(one.heard for one in slow), "an unfinished request has no answer"


def test_a_client_that_dawdles_for_too_long_is_refused_and_dropped(tmp_path: Path) -> None:
    # The admission socket gives a request two seconds in all, however steadily it drips.
    with licensed(tmp_path) as (daemon, _), to_admission(daemon) as connection:
        slow = Dripping(connection)
        eventually("it is dropped", slow.drip)  # a byte every 10 ms: the head stays in its limits

        assert slow.heard.startswith(b"HTTP/1.1 408 ")
        others_are_served(daemon, 1)


def test_a_seat_that_never_reads_its_events_keeps_its_seat_and_the_others_hear_all(
    tmp_path: Path,
) -> None:
    with (
        licensed(tmp_path) as (daemon, place),
        daemon.seat("reading") as reading,
        daemon.seat("deaf") as deaf,
    ):
        for number in range(EVENTS):
            # Each change of the license is told to every seat.
            place.write_bytes(license_document(dataplanes=1001 + number % 2))
            daemon.local("POST", "/v1/license/reload")
            assert reading.next_event()["allowed"] == 1001 + number % 2
        others_are_served(daemon)
        assert daemon.metric("kong_mesh_license_dataplanes_active") == 2

        # What it missed is lost, but no line of what is left was cut in the middle; and once it
        # reads again it hears what is new.
        late = 0
        while deaf.next_event()["allowed"] in {1001, 1002}:
            late += 1
            place.write_bytes(license_document(dataplanes=7 + late % 2))
            daemon.local("POST", "/v1/license/reload")
        assert 0 < late < EVENTS


def test_an_api_client_that_never_reads_its_answers_keeps_nobody_waiting(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, _), to_api(daemon) as deaf:
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                # Until the daemon stops taking requests of one who does not take answers.
                deaf.send(b"GET /license HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
        others_are_served(daemon)


@LISTENERS
def test_idle_connections_keep_nobody_out(tmp_path: Path, connect: Connect) -> None:
    with licensed(tmp_path) as (daemon, _), ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(connect(daemon))
        others_are_served(daemon)


def test_a_full_api_makes_room_and_leaves_the_admission_socket_alone(tmp_path: Path) -> None:
    # The daemon starts with the few descriptors that a login shell allows.
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 4 * API_CONNECTIONS_MAX:
        pytest.skip("more than a thousand connections need more descriptors than are allowed here")
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        daemon, _ = stack.enter_context(licensed(tmp_path))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        idle = [stack.enter_context(to_api(daemon)) for _ in range(API_CONNECTIONS_MAX)]

        with to_api(daemon) as welcome:
            welcome.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert welcome.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert idle[0].recv(1) == b"", "whoever was idle longest has given way"
        for number in range(OTHERS):
            with daemon.seat(f"other-{number}") as seat:
                assert seat.admitted
        assert daemon.diagnostics("/ready").status == 200


@needs_root
def test_a_user_with_many_connections_is_refused_more_and_the_others_are_not() -> None:
    with (
        reachable_directory() as directory,
        licensed(
            directory, KMESH_ADMISSION_LIMITS_CONNECTIONS_PER_USER=str(UID_CONNECTIONS_MAX)
        ) as (daemon, _),
    ):
        open_to_everybody(daemon)
        with ExitStack() as stack:
            with without_root():
                many = [
                    stack.enter_context(to_admission(daemon)) for _ in range(UID_CONNECTIONS_MAX)
                ]
                with to_admission(daemon) as refused:
                    assert refused.recv(65536).startswith(b"HTTP/1.1 429 ")
            others_are_served(daemon)

            many[0].close()
            with without_root():
                eventually("one closed makes room for one", lambda: _answered(daemon))


def open_to_everybody(daemon: Daemon) -> None:
    for path in (daemon.socket.parent.parent, daemon.socket.parent):
        path.chmod(0o755)
    daemon.socket.chmod(0o666)


@needs_root
def test_under_an_issued_license_all_proxies_of_one_user_are_admitted_at_once() -> None:
    with (
        reachable_directory() as directory,
        licensed(directory, dataplanes=20) as (daemon, _),
        ExitStack() as stack,
    ):
        open_to_everybody(daemon)
        with without_root():
            connections = [
                stack.enter_context(to_admission(daemon)) for _ in range(PROXIES_OF_ONE_USER)
            ]
            for number, connection in enumerate(connections):
                body = b'{"mesh":"default","name":"svc-%d"}' % number
                connection.sendall(
                    b"POST /v1/admissions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(body), body)
                )
            answers = [connection.recv(15) for connection in connections]
        assert set(answers) == {b"HTTP/1.1 200 OK"}
        assert daemon.api("GET", "/license").json["activeDataplaneProxies"] == PROXIES_OF_ONE_USER


def test_with_few_descriptors_a_full_socket_leaves_the_api_and_readiness_theirs(
    tmp_path: Path,
) -> None:
    few = ("prlimit", f"--nofile={DESCRIPTORS_FEW}:{DESCRIPTORS_FEW}")
    with Daemon(tmp_path, wrapper=few) as daemon, ExitStack() as stack:
        daemon.start()
        crowd = [stack.enter_context(to_admission(daemon)) for _ in range(2 * DESCRIPTORS_FEW)]
        for connection in crowd:
            with contextlib.suppress(OSError):
                connection.sendall(REQUEST)
        for _ in range(10):
            assert daemon.diagnostics("/ready").status == 200
            assert daemon.api("GET", "/meshes/default").status == 200
        assert "descriptors-few" in daemon.stderr
        assert "accept-out-of-resources" not in daemon.stderr


def _answered(daemon: Daemon) -> bool:
    with to_admission(daemon) as connection:
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(REQUEST)
        return connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_three_hundred_seats_are_held_while_others_come_and_go(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, _), ExitStack() as stack:
        held = [stack.enter_context(daemon.seat(f"held-{number}")) for number in range(HELD)]
        assert all(seat.admitted for seat in held)

        others_are_served(daemon)

        eventually(
            "only the held ones are left",
            lambda: daemon.metric("kong_mesh_license_dataplanes_active") == HELD,
        )
        for seat in held:
            seat.leave()
        eventually(
            "every seat is given back",
            lambda: daemon.metric("kong_mesh_license_dataplanes_active") == 0,
        )
