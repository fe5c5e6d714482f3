"""Who gets one of the places of a listener, and who gives way when all are taken.

Nobody can take all of them: those who are idle longest go first, of whom has most. Some places
are kept for peers that are never to be kept out: an administrator of the machine, mostly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from kong_mesh_cp.shell.http.budget import LOOPBACK, Origin, origin_of
from kong_mesh_cp.shell.http.limits import Limits
from kong_mesh_cp.shell.http.messages import Peer

RESERVED_PART_MAX = 4  # of a listener with few places at most one in so many is reserved


class Resident(Protocol):
    """A connection that has a place."""

    @property
    def is_securing(self) -> bool:
        """Whether its TLS handshake is under way."""
        ...

    def reluctance(self) -> tuple[int, float] | None:
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
        self._residents: dict[Origin, set[Resident]] = {}
        self.taken = 0

    def place_of(self, peer: Peer) -> Place:
        return Place(origin_of(peer), self._privileged(peer))

    def refusal(self, place: Place) -> str | None:
        """Why there is no place for one more; None: there is, or somebody has given way."""
        limits, origin = self._limits, place.origin
        own = self._residents.get(origin, ())
        share = None if origin == LOOPBACK else limits.share_connections_max
        if share is not None and len(own) >= share and not self._relieve(own):
            return f"all {share} connections of {origin} to this listener are in use"
        most = limits.connections_max - (0 if place.privileged else self._reserved)
        if self.taken >= most and not self._relieve_most_numerous():
            return f"all {limits.connections_max} connections of this listener are in use"
        return None

    def refusal_of_handshake(self) -> str | None:
        """As `refusal`, where one more TLS handshake begins."""
        most = self._limits.handshakes_max
        if self.taken < most:
            return None
        securing = [
            each for those in self._residents.values() for each in those if each.is_securing
        ]
        if len(securing) < most or self._relieve(securing):
            return None
        return f"{most} handshakes are under way"

    def enter(self, resident: Resident, place: Place) -> None:
        """Take a place. What has entered must `leave`."""
        self._residents.setdefault(place.origin, set()).add(resident)
        self.taken += 1

    def leave(self, resident: Resident, place: Place) -> None:
        """Also for one that has given way, and whose place was taken over by then."""
        those = self._residents.get(place.origin)
        if those is None or resident not in those:
            return
        those.discard(resident)
        self.taken -= 1
        if not those:
            del self._residents[place.origin]

    def _relieve_most_numerous(self) -> bool:
        by_number = sorted(self._residents.values(), key=len, reverse=True)
        return any(self._relieve(those) for those in by_number)

    def _relieve(self, those: Iterable[Resident]) -> bool:
        """Take the place of one of `those`. False: all of them are busy."""
        willing = [(each.reluctance(), each) for each in those]
        found = min(
            ((how, each) for how, each in willing if how is not None),
            key=lambda pair: pair[0],
            default=None,
        )
        if found is None:
            return False
        _, resident = found
        for origin, residents in self._residents.items():
            if resident in residents:
                self.leave(resident, Place(origin, privileged=False))
                break
        resident.give_way()
        return True
