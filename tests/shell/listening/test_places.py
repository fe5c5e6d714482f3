"""Who has a place at a listener, and who gives way to whom."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kong_mesh_cp.shell.listening.budget import is_loopback
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Places

IDLE, READING = 0, 1


class Standing:
    """A connection as far as places are concerned."""

    def __init__(self, how: tuple[int, float] | None, *, is_securing: bool = False) -> None:
        self.how = how
        self.is_securing = is_securing
        self.gave_way = False

    def reluctance(self) -> tuple[int, float] | None:
        return self.how

    def give_way(self) -> None:
        assert not self.gave_way, "told twice"
        self.gave_way = True


class Room:
    """A listener with few places."""

    def __init__(self, unconnected: socket.socket, limits: Limits) -> None:
        self._socket = unconnected
        self.places = Places(limits, is_loopback)

    def refusal(self, address: str) -> str | None:
        return self.places.refusal(self.places.place_of(self._peer(address)))

    def enter(self, address: str, how: tuple[int, float] | None, **more: bool) -> Standing:
        assert self.refusal(address) is None
        standing = Standing(how, **more)
        self.places.enter(standing, self.places.place_of(self._peer(address)))
        return standing

    def leave(self, address: str, standing: Standing) -> None:
        self.places.leave(standing, self.places.place_of(self._peer(address)))

    def _peer(self, address: str) -> Peer:
        return Peer(self._socket, address=(address, 1))


@pytest.fixture
def unconnected() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


def limits(connections_max: int, share: int | None = None, reserved: int = 0) -> Limits:
    return Limits(
        connections_max=connections_max,
        share_connections_max=share,
        reserved_connections=reserved,
    )


def test_who_is_idle_longest_gives_way(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(3))
    newer, longest, reading = (
        room.enter("10.0.0.1", how) for how in [(IDLE, 2.0), (IDLE, 1.0), (READING, 0.0)]
    )

    assert room.refusal("10.0.0.2") is None
    assert (newer.gave_way, longest.gave_way, reading.gave_way) == (False, True, False)
    assert room.places.taken == 2


def test_busy_ones_and_seats_never_give_way(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(2))
    standing = [room.enter("10.0.0.1", None) for _ in range(2)]

    assert room.refusal("10.0.0.2") == "all 2 connections of this listener are in use"
    assert not any(each.gave_way for each in standing)


def test_one_who_has_become_busy_since_the_last_look_stays(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(3))
    first, second, third = (room.enter("10.0.0.1", (IDLE, float(at))) for at in range(3))
    assert room.refusal("10.0.0.2") is None
    assert first.gave_way
    room.enter("10.0.0.2", None)
    second.how = None

    assert room.refusal("10.0.0.2") is None
    assert (second.gave_way, third.gave_way) == (False, True)


def test_those_of_whom_there_are_most_give_way(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(3))
    alone = room.enter("10.0.0.1", (IDLE, 0.0))
    many = [room.enter("10.0.0.2", (IDLE, 5.0)) for _ in range(2)]

    assert room.refusal("10.0.0.3") is None
    assert not alone.gave_way
    assert sum(each.gave_way for each in many) == 1


def test_where_those_are_busy_others_give_way(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(3))
    alone = room.enter("10.0.0.1", (IDLE, 0.0))
    for _ in range(2):
        room.enter("10.0.0.2", None)

    assert room.refusal("10.0.0.3") is None
    assert alone.gave_way


def test_an_address_has_its_share_and_cannot_take_that_of_others(
    unconnected: socket.socket,
) -> None:
    room = Room(unconnected, limits(10, share=2))
    other = room.enter("10.0.0.1", (IDLE, 0.0))
    first, second = (room.enter("10.0.0.2", (IDLE, 1.0 + at)) for at in range(2))

    assert room.refusal("10.0.0.2") is None
    assert (other.gave_way, first.gave_way, second.gave_way) == (False, True, False)
    second.how = None
    room.enter("10.0.0.2", None)
    assert room.refusal("10.0.0.2") == ("all 2 connections of 10.0.0.2 to this listener are in use")


def test_this_machine_has_no_share_but_the_whole(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(5, share=1))
    for number in range(5):
        room.enter(f"127.0.0.{number + 1}", None)

    assert room.places.taken == 5


def test_some_places_are_kept_for_this_machine(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(8, reserved=2))
    for number in range(6):
        room.enter(f"10.0.0.{number}", None)

    assert room.refusal("10.0.0.9") is not None
    for _ in range(2):
        room.enter("127.0.0.1", None)
    assert room.refusal("127.0.0.1") is not None


def test_one_that_gave_way_leaves_once(unconnected: socket.socket) -> None:
    room = Room(unconnected, limits(1))
    gone = room.enter("10.0.0.1", (IDLE, 0.0))
    room.enter("10.0.0.1", None)
    room.leave("10.0.0.1", gone)

    assert gone.gave_way
    assert room.places.taken == 1


def test_the_oldest_handshake_ends_where_there_are_too_many(unconnected: socket.socket) -> None:
    room = Room(unconnected, Limits(handshakes_max=2))
    done = room.enter("10.0.0.1", (IDLE, 0.0))
    older, newer = (room.enter("10.0.0.2", (IDLE, 1.0 + at), is_securing=True) for at in range(2))

    room.places.make_room_for_handshake()

    assert (done.gave_way, older.gave_way, newer.gave_way) == (False, True, False)
    room.places.make_room_for_handshake()
    assert not newer.gave_way


def test_with_few_descriptors_there_are_as_much_fewer_places() -> None:
    part = Limits().for_part(0.25)

    assert (part.connections_max, part.share_connections_max, part.refusals_max) == (256, 64, 16)
    assert Limits().for_part(1) == Limits()
    assert Limits(connections_max=2, share_connections_max=None).for_part(0.01).connections_max == 1
