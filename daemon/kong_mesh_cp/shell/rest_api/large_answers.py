"""Bounds on large answers that many ask for at once: lists, and computed ones.

An answer is several times as large while it is made as when it is sent. So few lists are made at
once, and large answers one at a time, in a line of their own; and those only while there is room to
keep them for peers that are slow to take them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import field
from typing import TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.responding import shown_list
from kong_mesh_cp.usecases.resources.queries import PAGE_BYTES_MAX, Listing
from kong_mesh_cp.usecases.resources.turns import Turns, busy

MEDIUM_BYTES = 128 * 1024  # of what is stored: all that most lists are
MEDIUM_AT_ONCE = 4  # while one waits for the store, others are written
WAITING_MEDIUM_MAX = 256  # requests; they hold nothing yet

KNOWN_LARGE_MAX = 256  # lists that are remembered as large

T = TypeVar("T")

HasRoom = Callable[[Peer, int], bool]


def room_for_all(_peer: Peer, _size: int) -> bool:
    """A `HasRoom` of answers without a bound."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeAnswers:
    """`has_room`: whether an answer of so many bytes could wait for its peer to take it."""

    has_room: HasRoom = room_for_all
    _medium: Turns = field(
        default_factory=lambda: Turns(
            at_once=MEDIUM_AT_ONCE,
            waiting_max=WAITING_MEDIUM_MAX,
            waiting_of_one_max=WAITING_MEDIUM_MAX,
        )
    )
    _large: Turns = field(default_factory=Turns)
    _computed: Turns = field(default_factory=Turns)  # which take longer: no list waits for them
    # Those that were large the last time, by what was asked: most are asked for again and again,
    # and to read half of one to find that out is a fifth of its cost.
    _known_large: dict[int, None] = field(default_factory=dict)

    async def list_(
        self, user: User, request: Request, read: Callable[[int], Awaitable[Listing[T]]]
    ) -> Response:
        """The answer that shows what `read` gives for so many bytes at most.

        Raises: what `read` raises; ResourceRefusedError while there are too many such requests.
        """
        asked = hash((request.path, request.raw_query))
        if asked not in self._known_large or not self.has_room(request.peer, PAGE_BYTES_MAX):
            async with self._medium.turn(user.name):
                page = await read(MEDIUM_BYTES)
                if not page.is_cut:
                    return await shown_list(request, page)
            del page
        async with self._turn(self._large, user, request.peer):
            page = await read(PAGE_BYTES_MAX)
            self._remember(asked, is_large=page.is_cut or page.text_bytes > MEDIUM_BYTES)
            return await shown_list(request, page)

    def _remember(self, asked: int, *, is_large: bool) -> None:
        self._known_large.pop(asked, None)
        if is_large:
            self._known_large[asked] = None
        if len(self._known_large) > KNOWN_LARGE_MAX:
            del self._known_large[next(iter(self._known_large))]

    @asynccontextmanager
    async def turn(self, user: User, peer: Peer) -> AsyncIterator[None]:
        """One answer that is computed at a time. Raises: ResourceRefusedError."""
        async with self._turn(self._computed, user, peer):
            yield

    @asynccontextmanager
    async def _turn(self, line: Turns, user: User, peer: Peer) -> AsyncIterator[None]:
        self._require_room(peer)
        async with line.turn(user.name):
            self._require_room(peer)
            yield

    def _require_room(self, peer: Peer) -> None:
        if not self.has_room(peer, PAGE_BYTES_MAX):
            raise busy()
