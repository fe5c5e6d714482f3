"""Limits of the admission socket: for one peer, for one user, and for all together."""

from __future__ import annotations

import math
from collections import Counter

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.listening.budget import MIB
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Credentials, Peer

BODY_BYTES_MAX = 64 * 1024
REQUEST_SECONDS = 2.0  # for the whole request, from its first byte
IDLE_SECONDS = 30.0  # a connection that asks nothing
# Of all connections, for users with one primary group: a user with subordinate uids has thousands,
# and one group.
GROUP_SHARE = 3 / 4
RESERVED_CONNECTIONS = 64  # of all connections, for root and the daemon's own user
ACCEPTED_AT_ONCE = 512  # root may stand behind all of the kernel's queue, and is served first
UID_REQUESTS_PER_SECOND = 100
UIDS_TRACKED_MAX = 1024  # with a bucket that is not full; of more, the fullest is forgotten
RETRY_SECONDS = 1

ROOT_UID = 0  # exempt from both limits per user: root needs no socket to do harm


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketPlaces:
    """How many connections there may be, held seats included; by default as the settings say."""

    connections: int = 4096  # of all users
    connections_per_user: int = 2048

    @property
    def connections_per_group(self) -> int:
        return int(self.connections * GROUP_SHARE)

    @property
    def limits(self) -> Limits:
        """Of the listener."""
        return Limits(
            body_bytes_max=BODY_BYTES_MAX,
            header_seconds=REQUEST_SECONDS,
            request_seconds=REQUEST_SECONDS,
            idle_seconds=IDLE_SECONDS,
            connections_max=self.connections,
            share_connections_max=None,  # `PeerConnections` counts them by user and by group
            reserved_connections=RESERVED_CONNECTIONS,
            accepted_at_once=ACCEPTED_AT_ONCE,
        )


# Of their own, so that no client of the API can take them.
SOCKET_ANSWERS_BYTES_MAX = 16 * MIB
SOCKET_BODIES_BYTES_MAX = 16 * MIB


class UidRates:
    """A token bucket for each user: a burst of requests at once, then a steady rate."""

    def __init__(self, burst: int) -> None:
        """`burst`: as many as a user may have connections, because after a restart each of its
        proxies asks at the same moment.
        """
        self._burst = burst
        self._buckets: dict[int, tuple[float, float]] = {}  # uid: tokens left, at this time

    def take(self, uid: int, now: float) -> Refused | None:
        """Count one request of `uid` at `now` (the loop's seconds); a refusal if it is too many."""
        tokens, then = self._buckets.pop(uid, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * UID_REQUESTS_PER_SECOND)
        allowed = tokens >= 1
        # Put back at the end: the dictionary is ordered by last use.
        self._buckets[uid] = (tokens - allowed, now)
        if len(self._buckets) > UIDS_TRACKED_MAX:
            del self._buckets[next(iter(self._buckets))]
        if allowed:
            return None
        return Refused(
            code=RefusalCode.RATE_LIMITED,
            reason=f"uid {uid} asks more than {UID_REQUESTS_PER_SECOND} times a second",
            hint="Wait, and ask once: the connection of an admission is kept open as its seat.",
            retry_after_seconds=max(
                RETRY_SECONDS, math.ceil((1 - tokens) / UID_REQUESTS_PER_SECOND)
            ),
        )


class PeerConnections:
    """How many connections each user has, and each primary group. Root has as many as it likes."""

    def __init__(self, places: SocketPlaces) -> None:
        self._places = places
        self._of_uids: Counter[int] = Counter()
        self._of_groups: Counter[int] = Counter()

    def enter(self, peer: Peer) -> Refused | None:
        """Count a connection, or refuse it. What was counted must `leave`."""
        who = _credentials(peer)
        if who.uid == ROOT_UID:
            return None
        of_one, of_group = self._places.connections_per_user, self._places.connections_per_group
        if self._of_uids[who.uid] >= of_one:
            return _too_many(
                f"uid {who.uid} has {of_one} connections open, seats included",
                "Close one, run the proxies under more than one user, or raise "
                "admission.limits.connectionsPerUser.",
            )
        if self._of_groups[who.gid] >= of_group:
            return _too_many(
                f"users of the group {who.gid} have {of_group} connections open, seats included",
                "Close some, run the proxies under more than one primary group, or raise "
                "admission.limits.connections: a group has three quarters of them.",
            )
        self._of_uids[who.uid] += 1
        self._of_groups[who.gid] += 1
        return None

    def leave(self, peer: Peer) -> None:
        who = _credentials(peer)
        if who.uid == ROOT_UID:
            return
        for counter, key in ((self._of_uids, who.uid), (self._of_groups, who.gid)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]


def _too_many(reason: str, hint: str) -> Refused:
    return Refused(
        code=RefusalCode.RATE_LIMITED, reason=reason, hint=hint, retry_after_seconds=RETRY_SECONDS
    )


def _credentials(peer: Peer) -> Credentials:
    assert peer.credentials is not None, "the admission socket is a Unix socket"  # noqa: S101
    return peer.credentials
