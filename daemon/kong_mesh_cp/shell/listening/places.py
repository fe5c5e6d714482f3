"""Who gets one of the places of a listener, and who gives way when all are taken.

Nobody can take all of them: those who are idle longest go first, of whom has most. Some places
are kept for peers that are never to be kept out: an administrator of the machine, mostly.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import NamedTuple, Protocol

from kong_mesh_cp.shell.listening.budget import LOOPBACK, Origin, origin_of
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer

RESERVED_PART_MAX = 4  # of a listener with few places at most one in so many is reserved

Reluctance = tuple[int, float]
"""How bad it would be to end a connection, and since when it has been so willing."""

YOUNG_SECONDS = 1.0  # so long one that has said nothing yet is believed to be about to

_NEVER = (sys.maxsize, math.inf)


def of_newcomer(since: float, now: float) -> Reluctance:
    """Of one that has said nothing since it came at `since`: in its first moments its request may
    be on the way, as that of others who have only begun to say something.
    """
    return (1 if now - since < YOUNG_SECONDS else 0), since


class Resident(Protocol):
    """A connection that has a place."""

    @property
    def is_securing(self) -> bool:
        """Whether its TLS handshake is under way."""
        ...

    def reluctance(self) -> Reluctance | None:
        """The least gives way first. None: never."""
        ...

    def give_way(self) -> None:
        """End, now."""
        ...


class Place(NamedTuple):
    """What decides about the place of a peer."""

    origin: Origin
    privileged: bool


class Places:
    """The places of one listener."""

    def __init__(self, limits: Limits, privileged: Callable[[Peer], bool]) -> None:
        """`privileged`: who may have the reserved places."""
        self._limits = limits
        self._privileged = privileged
        self._reserved = min(
            limits.reserved_connections, limits.connections_max // RESERVED_PART_MAX
        )
        self._residents: dict[Origin, _Residents] = {}
        self.taken = 0

    def place_of(self, peer: Peer) -> Place:
        return Place(origin_of(peer), self._privileged(peer))

    def refusal(self, place: Place) -> str | None:
        """Why there is no place for one more; None: there is, or somebody has given way."""
        limits, origin = self._limits, place.origin
        share = None if origin == LOOPBACK else limits.share_connections_max
        if share is not None and origin in self._residents:
            own = self._residents[origin]
            if len(own.all) >= share and not self._relieve(own):
                return f"all {share} connections of {origin} to this listener are in use"
        most = limits.connections_max - (0 if place.privileged else self._reserved)
        if self.taken >= most and not self._relieve_most_numerous():
            return f"all {limits.connections_max} connections of this listener are in use"
        return None

    def make_room_for_handshake(self) -> None:
        """One more TLS handshake begins: where there are too many, the oldest ends."""
        most = self._limits.handshakes_max
        if self.taken < most:
            return
        securing = [
            (each, residents)
            for residents in self._residents.values()
            for each in residents.all
            if each.is_securing
        ]
        if len(securing) >= most:
            oldest, residents = min(securing, key=lambda pair: pair[0].reluctance() or _NEVER)
            self._dismiss(oldest, residents)

    def enter(self, resident: Resident, place: Place) -> None:
        """Take a place. What has entered must `leave`."""
        residents = self._residents.get(place.origin)
        if residents is None:
            residents = self._residents[place.origin] = _Residents(place.origin)
        residents.all.add(resident)
        self.taken += 1

    def leave(self, resident: Resident, place: Place) -> None:
        """Also for one that has given way, and whose place was taken over by then."""
        residents = self._residents.get(place.origin)
        if residents is not None and resident in residents.all:
            self._remove(resident, residents)

    def _remove(self, resident: Resident, residents: _Residents) -> None:
        residents.all.discard(resident)
        self.taken -= 1
        if not residents.all:
            del self._residents[residents.origin]

    def _relieve_most_numerous(self) -> bool:
        if not self._residents:
            return False
        if self._relieve(max(self._residents.values(), key=_count)):
            return True
        return any(map(self._relieve, sorted(self._residents.values(), key=_count, reverse=True)))

    def _relieve(self, residents: _Residents) -> bool:
        """Take the place of one of `residents`. False: all of them are busy."""
        resident = residents.most_willing()
        if resident is None:
            return False
        self._dismiss(resident, residents)
        return True

    def _dismiss(self, resident: Resident, residents: _Residents) -> None:
        self._remove(resident, residents)
        resident.give_way()


class _Residents:
    """The connections of one origin."""

    __slots__ = ("_willing", "all", "origin")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.all: set[Resident] = set()
        # Those found equally willing at the last look, the longest last. One that became so
        # later has been so for less long: there is no need to look at all for each newcomer.
        self._willing: list[tuple[Reluctance, Resident]] = []

    def most_willing(self) -> Resident | None:
        """None: none of them gives way."""
        for _ in range(2):
            while self._willing:
                found, resident = self._willing.pop()
                if resident in self.all and resident.reluctance() == found:
                    return resident
            self._look()
        return None

    def _look(self) -> None:
        asked = [(each.reluctance(), each) for each in self.all]
        willing = [(how, each) for how, each in asked if how is not None]
        if willing:
            least = min(how[0] for how, _ in willing)
            equal = [pair for pair in willing if pair[0][0] == least]
            self._willing = sorted(equal, key=lambda pair: pair[0], reverse=True)


def _count(residents: _Residents) -> int:
    return len(residents.all)
