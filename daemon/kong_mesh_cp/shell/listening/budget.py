"""Memory that peers make the server keep, in bytes over all of them.

What one connection may cost is bounded elsewhere; a thousand connections that all cost that much
must not be more than there is. So what a connection keeps for its peer is counted here, and where
there is no room left, those who make it stay longest for nothing give way.
"""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Final

from kong_mesh_cp.shell.listening.peer import Peer

MIB: Final = 1024 * 1024

UNREAD_ANSWERS_BYTES_MAX: Final = 64 * MIB  # of all listeners: made, and not taken by the kernel
BODIES_BYTES_MAX: Final = 32 * MIB  # of all listeners: arriving, or in the hands of a handler
SHARE: Final = 1 / 2  # of a budget for all that comes from one address or user
RESERVE: Final = 1 / 8  # of a budget for peers that are never to be kept out
SLOW_SECONDS: Final = 2.0  # then a peer has to have taken or sent
SLOW_BYTES_PER_SECOND: Final = 64 * 1024  # this much in each of them, or it gives way to others

_IPV6_NETWORK_BITS: Final = 64  # what one host is given: it may come from any address of that
LOOPBACK: Final = "loopback"
KNOWN_HOSTS_MAX: Final = 1024  # whose origin is remembered

Origin = str | int
"""Whose a connection is: an address (a network of IPv6), LOOPBACK, or a uid of a Unix socket."""


def origin_of(peer: Peer) -> Origin:
    if peer.credentials is not None:
        return peer.credentials.uid
    return _origin_of_host(peer.address[0] if peer.address is not None else "")


@functools.lru_cache(maxsize=KNOWN_HOSTS_MAX)  # it is asked for several times for each connection
def _origin_of_host(host: str) -> Origin:
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            if address.is_loopback:
                return LOOPBACK
            return str(ipaddress.IPv6Network((int(address), _IPV6_NETWORK_BITS), strict=False))
        address = address.ipv4_mapped
    return LOOPBACK if address.is_loopback else str(address)


def is_loopback(peer: Peer) -> bool:
    return origin_of(peer) == LOOPBACK


class Hold:
    """What is kept for one connection; `give_way` ends it, and is called once at most."""

    __slots__ = ("_give_way", "bytes", "moved", "origin", "privileged", "since", "yields")

    def __init__(
        self, origin: Origin, give_way: Callable[[], None], *, now: float, privileged: bool = False
    ) -> None:
        self.origin = origin
        self.privileged = privileged
        self.bytes = 0
        self.moved = 0  # bytes that the peer has sent, or taken, since
        self.since = now
        self.yields = True  # whether it may be ended in favour of others
        self._give_way = give_way

    def is_slow(self, now: float) -> bool:
        seconds = now - self.since
        return seconds >= SLOW_SECONDS and self.moved < seconds * SLOW_BYTES_PER_SECOND

    def give_way(self) -> None:
        self._give_way()


def _nothing() -> None:
    pass


class ByteBudget:
    """At most `bytes_max` in all; half of it for one origin, an eighth for privileged peers alone,
    who may have all of it.

    Who is found slow when room is needed gives way: first those of the origin that has most.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.held = 0
        self._of: Counter[Origin] = Counter()
        self._holds: set[Hold] = set()

    def take(self, hold: Hold, size: int, now: float) -> bool:
        """Count `size` bytes more for `hold`. False: not counted, there is no room."""
        if not self.make_room(hold, size, now):
            return False
        self._holds.add(hold)
        hold.bytes += size
        self.held += size
        self._of[hold.origin] += size
        return True

    def make_room(self, hold: Hold, size: int, now: float) -> bool:
        """Whether `size` bytes could be taken, when the slow ones that it needs have given way."""
        share = self.bytes_max if hold.privileged else int(self.bytes_max * SHARE)
        while self._of[hold.origin] + size > share:
            if not self._shed(hold, now, of=hold.origin):
                return False
        most = self.bytes_max if hold.privileged else int(self.bytes_max * (1 - RESERVE))
        while self.held + size > most:
            if not self._shed(hold, now):
                return False
        return True

    def has_room(self, peer: Peer, size: int, now: float) -> bool:
        """Whether `peer` could be sent `size` bytes that it does not take at once."""
        asking = Hold(origin_of(peer), _nothing, now=now, privileged=is_loopback(peer))
        return self.make_room(asking, size, now)

    def give_back_part(self, hold: Hold, size: int) -> None:
        """Count `size` bytes less for `hold`, which has more than that."""
        if hold in self._holds:
            hold.bytes -= size
            self.held -= size
            self._of[hold.origin] -= size

    def give_back(self, hold: Hold) -> None:
        """Forget `hold`, whether anything was counted for it or not."""
        if hold not in self._holds:
            return
        self._holds.discard(hold)
        self.held -= hold.bytes
        self._of[hold.origin] -= hold.bytes
        if not self._of[hold.origin]:
            del self._of[hold.origin]
        hold.bytes = 0

    def _shed(self, asking: Hold, now: float, *, of: Origin | None = None) -> bool:
        slow = [
            each
            for each in self._holds
            if each is not asking
            and each.yields
            and each.bytes
            and of in (None, each.origin)
            and each.is_slow(now)
        ]
        if not slow:
            return False
        victim = max(slow, key=lambda each: (self._of[each.origin], now - each.since))
        self.give_back(victim)
        victim.give_way()
        return True


class Budgets:
    """The budgets that all listeners of a process share."""

    def __init__(
        self, *, answers: int = UNREAD_ANSWERS_BYTES_MAX, bodies: int = BODIES_BYTES_MAX
    ) -> None:
        self.answers = ByteBudget(answers)
        self.bodies = ByteBudget(bodies)
