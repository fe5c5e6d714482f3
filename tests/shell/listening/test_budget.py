"""Bytes kept for peers: what fits, whose share is used up, and who gives way."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.listening.budget import (
    LOOPBACK,
    SLOW_BYTES_PER_SECOND,
    SLOW_SECONDS,
    ByteBudget,
    Hold,
    Origin,
    origin_of,
)
from kong_mesh_cp.shell.listening.peer import Credentials, Peer

MOST = 8000


class Peers:
    """Holds of peers, and which of them had to give way."""

    def __init__(self) -> None:
        self.budget = ByteBudget(MOST)
        self.gone: list[str] = []

    def hold(self, name: str, origin: Origin, *, now: float = 0, privileged: bool = False) -> Hold:
        return Hold(origin, lambda: self.gone.append(name), now=now, privileged=privileged)


def test_one_origin_has_half_of_it() -> None:
    peers = Peers()
    first = peers.hold("first", "10.0.0.1")

    assert peers.budget.take(first, MOST // 2, 0)
    assert not peers.budget.take(peers.hold("second", "10.0.0.1"), 1, 0)
    assert peers.budget.take(peers.hold("other", "10.0.0.2"), 1, 0)
    peers.budget.give_back(first)
    assert peers.budget.take(peers.hold("third", "10.0.0.1"), 1, 0)
    assert peers.budget.held == 2


def test_an_eighth_is_kept_for_this_machine() -> None:
    peers = Peers()
    for number in range(7):
        assert peers.budget.take(peers.hold("", f"10.0.0.{number}"), MOST // 8, 0)

    assert not peers.budget.take(peers.hold("", "10.0.0.9"), 1, 0)
    assert peers.budget.take(peers.hold("", LOOPBACK, privileged=True), MOST // 8, 0)
    assert not peers.budget.take(peers.hold("", LOOPBACK, privileged=True), 1, 0)


def test_this_machine_may_have_all_of_it() -> None:
    peers = Peers()

    assert peers.budget.take(peers.hold("", LOOPBACK, privileged=True), MOST, 0)


def test_who_is_slow_gives_way_and_who_is_not_stays() -> None:
    peers = Peers()
    slow, quick = peers.hold("slow", "10.0.0.1"), peers.hold("quick", "10.0.0.1")
    peers.budget.take(slow, MOST // 4, 0)
    peers.budget.take(quick, MOST // 4, 0)
    quick.moved = int(SLOW_SECONDS * SLOW_BYTES_PER_SECOND)
    newcomer = peers.hold("new", "10.0.0.1", now=SLOW_SECONDS)

    assert not peers.budget.take(newcomer, MOST // 4, SLOW_SECONDS / 2), "nobody is slow yet"
    assert peers.budget.take(newcomer, MOST // 4, SLOW_SECONDS)
    assert not peers.budget.take(newcomer, 1, SLOW_SECONDS)
    assert peers.gone == ["slow"]


def test_of_the_slow_ones_those_give_way_whose_origin_has_most() -> None:
    peers = Peers()
    for name, origin, size in (
        ("a", "10.0.0.1", 2000),
        ("b", "10.0.0.2", 1500),
        ("c", "10.0.0.2", 1500),
        ("d", "10.0.0.3", 1000),
    ):
        assert peers.budget.take(peers.hold(name, origin), size, 0)

    assert peers.budget.take(peers.hold("new", "10.0.0.4", now=60), 2000, 60)
    assert len(peers.gone) == 1
    assert peers.gone[0] in {"b", "c"}


def test_what_a_handler_works_on_never_gives_way() -> None:
    peers = Peers()
    worked_on = peers.hold("worked on", "10.0.0.1")
    peers.budget.take(worked_on, MOST // 2, 0)
    worked_on.yields = False

    assert not peers.budget.take(peers.hold("new", "10.0.0.1"), 1, 60)
    assert peers.gone == []


def test_what_was_given_back_twice_counts_once() -> None:
    peers = Peers()
    hold = peers.hold("", "10.0.0.1")
    peers.budget.take(hold, 100, 0)
    for _ in range(2):
        peers.budget.give_back(hold)

    assert peers.budget.held == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, MOST), st.integers(0, 60), st.booleans()),
        max_size=60,
    )
)
def test_there_is_never_more_than_the_budget(asked: list[tuple[int, int, int, bool]]) -> None:
    peers, holds, now = Peers(), list[Hold](), 0
    for origin, size, later, given_back in asked:
        now += later
        hold = peers.hold("", origin, now=now)
        if peers.budget.take(hold, size, now):
            holds.append(hold)
        if given_back and holds:
            peers.budget.give_back(holds.pop(0))
        assert peers.budget.held == sum(each.bytes for each in holds) <= MOST
        for each in range(6):
            assert sum(one.bytes for one in holds if one.origin == each) <= MOST // 2


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", LOOPBACK),
        ("127.9.8.7", LOOPBACK),
        ("::1", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1", "fe80::/64"),
    ],
)
def test_an_address_counts_as_all_that_one_host_may_have(address: str, origin: str) -> None:
    with socket.socket() as unconnected:
        assert origin_of(Peer(unconnected, address=(address, 1))) == origin


def test_a_peer_of_a_unix_socket_counts_by_its_user() -> None:
    with socket.socket() as unconnected:
        assert origin_of(Peer(unconnected, credentials=Credentials(7, 1000, 100))) == 1000


def test_a_part_is_given_back_and_the_rest_stays_counted() -> None:
    budget = ByteBudget(100)
    hold = Hold("a", lambda: None, now=0)
    assert budget.take(hold, 40, 0)

    budget.give_back_part(hold, 15)
    assert (budget.held, hold.bytes) == (25, 25)
    budget.give_back(hold)
    budget.give_back_part(hold, 15)
    assert budget.held == 0
