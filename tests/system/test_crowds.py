"""Crowds that try to take all places or all memory: those who matter are served meanwhile."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, running
from support.daemons.remote import ADDRESS, EVERYWHERE
from support.fakes.users import needs_root, reachable_directory
from support.storms import crowds
from support.storms.crowds import Waits, crowd, fill, resident_mib, tcp, users, writers

pytestmark = pytest.mark.system

ELSEWHERE = ADDRESS or "127.0.0.2"  # without a network a crowd has to come from this machine
HERE = "127.0.0.1"
RESIDENT_MIB_MAX = 300.0
SHOWN_CHARACTERS = 4000  # of the daemon's log, where somebody was kept out
ROUNDS = 3  # how long each of them may take is what scripts/bench-places measures
DESCRIPTORS = 3 * crowds.IDLE + crowds.USERS * crowds.OF_EACH_USER
REQUEST = f"GET {crowds.LIST} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@dataclass
class Attacked:
    daemon: Daemon

    def port(self, name: str) -> int:
        return int(self.daemon.addresses[name].rpartition(":")[2])

    def serves_those_who_matter(self, *crowds_: AbstractContextManager[None]) -> None:
        waits = Waits(self.daemon)
        with ExitStack() as stack:
            for each in crowds_:
                stack.enter_context(each)
            for number in range(ROUNDS):
                waits.ask_all(number)
        assert not waits.failures, (waits.longest(), self.daemon.stderr[-SHOWN_CHARACTERS:])
        assert resident_mib(self.daemon.pid) <= RESIDENT_MIB_MAX


@pytest.fixture
def attacked() -> Iterator[Attacked]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS:
        pytest.skip("thousands of connections need more descriptors than are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        # Everybody may enter the folder of the socket: some of the crowds are other users.
        with reachable_directory() as directory, running(directory, environment=EVERYWHERE) as it:
            for path in (it.socket.parent.parent, it.socket.parent):
                path.chmod(0o755)
            it.socket.chmod(0o666)
            yield Attacked(it)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def slow_readers(attacked: Attacked, address: str) -> AbstractContextManager[None]:
    return crowd(crowds.SLOW_READERS, tcp(address, attacked.port("api")), REQUEST)


@pytest.mark.parametrize("address", [ELSEWHERE, HERE])
def test_slow_readers_of_a_large_list_take_no_more_memory_than_there_is(
    attacked: Attacked, address: str
) -> None:
    fill(attacked.daemon)

    attacked.serves_those_who_matter(slow_readers(attacked, address))


@pytest.mark.parametrize("address", [ELSEWHERE, HERE])
@pytest.mark.parametrize("said", [b"", b"GET / HT"])
def test_connections_that_ask_nothing_shut_nobody_out(
    attacked: Attacked, address: str, said: bytes
) -> None:
    fill(attacked.daemon, 1)

    attacked.serves_those_who_matter(
        *(
            crowd(crowds.IDLE, tcp(address, attacked.port(name)), said)
            for name in ("api", "api-https", "diagnostics")
        )
    )


@needs_root
def test_many_users_of_the_admission_socket_do_not_shut_out_root(attacked: Attacked) -> None:
    fill(attacked.daemon, 1)

    attacked.serves_those_who_matter(users(attacked.daemon.socket))


@pytest.mark.parametrize("address", [ELSEWHERE, HERE])
def test_many_large_writes_keep_nobody_waiting_for_long(attacked: Attacked, address: str) -> None:
    fill(attacked.daemon, 1)

    attacked.serves_those_who_matter(writers(address, attacked.port("api")))


def test_all_of_them_together(attacked: Attacked) -> None:
    fill(attacked.daemon)
    port = attacked.port
    together: list[Callable[[], AbstractContextManager[None]]] = [
        lambda: slow_readers(attacked, ELSEWHERE),
        lambda: crowd(crowds.IDLE, tcp(ELSEWHERE, port("api"))),
        lambda: crowd(crowds.IDLE, tcp(ELSEWHERE, port("diagnostics"))),
        lambda: writers(ELSEWHERE, port("api")),
    ]

    attacked.serves_those_who_matter(*(make() for make in together))


def test_a_list_is_complete_for_whoever_follows_its_pages(tmp_path: Path) -> None:
    with running(tmp_path / "d") as daemon:
        fill(daemon, 10)
        names: list[object] = []
        total: object = None
        following: str | None = crowds.LIST
        while following is not None:
            page = daemon.api("GET", following).json
            items = page["items"]
            assert isinstance(items, list)
            names += [each["name"] for each in items]
            total = page["total"]
            address = page["next"]
            assert address is None or isinstance(address, str)
            following = address and "/" + address.partition("://")[2].partition("/")[2]

        assert total == len(names) == 10
        assert names == sorted(f"large-{number}" for number in range(10))
