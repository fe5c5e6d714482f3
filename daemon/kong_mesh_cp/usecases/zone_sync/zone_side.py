"""A zone's part of what its control plane and the global one say to each other.

Source: docs/wire/zone-sync.md#streams
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, NoReturn, Protocol

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.zone_sync.directions import DOWN, UP_ORDER
from kong_mesh_cp.usecases.zone_sync.offers import Offers, Recipient
from kong_mesh_cp.usecases.zone_sync.received_resources import Arrivals
from kong_mesh_cp.usecases.zone_sync.receiving import receive
from kong_mesh_cp.usecases.zone_sync.sending import Sender
from kong_mesh_cp.usecases.zone_sync.sync_ports import (
    PeerTold,
    ReceivingStream,
    SendingStream,
    SyncEndedError,
)
from kong_mesh_cp.usecases.zone_sync.zone_insights import Connection, ZoneInsights

# Between two attempts: twice as long each time, from the first to the last; anew after a connection
# that has held for so long.
HELD_SECONDS: Final = 60.0
HEALTH_SECONDS: Final = 300.0  # between two signs of life, unless the global one says otherwise
HEALTH_SECONDS_MIN: Final = 1.0  # whatever it says
ENDING_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class NotOfferedError(Exception):
    """The global control plane does not know a call; all else goes on."""


class GlobalLostError(Exception):
    """The connection, or one of its calls, has ended; the text says why, without a full stop."""


# Of a connection, by what the other side, the way to it, or the store does.
_ENDINGS: Final = (GlobalLostError, NotOfferedError, SyncEndedError, StateError)


class GlobalConnection(Protocol):
    """A connection to the global control plane. Calls raise GlobalLostError when it is gone."""

    def down(self) -> ReceivingStream: ...
    def up(self) -> SendingStream: ...

    async def alive(self) -> int:
        """Say so; after how many nanoseconds again, 0: it does not matter.

        Raises: NotOfferedError too.
        """
        ...

    async def answer_questions(self) -> None:
        """About the zone's Envoys, until it ends. Raises: NotOfferedError too."""
        ...


Dial = Callable[[], AbstractAsyncContextManager[GlobalConnection]]


class ZoneSide:
    """One zone's control plane."""

    def __init__(
        self,
        zone: str,
        arrivals: Arrivals,
        offers: Offers,
        insights: ZoneInsights,
        dial: Dial,
        *,
        pauses: tuple[float, float],
        jitter: Callable[[], float],
    ) -> None:
        """`dial`: a connection while it is entered; raises GlobalLostError.

        `pauses`: the first and the longest one, in seconds. `jitter`: a number from 0 to 1, so
        that zones that have lost their global one do not come back all at once.
        """
        self._zone = zone
        self._arrivals = arrivals
        self._offers = offers
        self._insights = insights
        self._dial = dial
        self._first_pause, self._longest_pause = pauses
        self._jitter = jitter
        self._told = ""  # why there is no connection, as the log has it
        self.connected = False

    async def run(self) -> NoReturn:
        """Connect, again and again, until cancelled."""
        pause = self._first_pause
        while True:
            began = trio.current_time()
            why = await self._connect()
            self.connected = False
            if trio.current_time() - began >= HELD_SECONDS:
                pause = self._first_pause
            seconds = pause * (0.5 + self._jitter())
            if why != self._told:
                self._told = why
                log.warning(
                    "global-lost: %s. Proxies are served with what is known, and the connection is"
                    " tried again and again. See whether multizone.zone.globalAddress names the"
                    " global control plane, and whether it runs.",
                    printable(why),
                )
            await trio.sleep(seconds)
            pause = min(2 * pause, self._longest_pause)

    async def _connect(self) -> str:
        """Hold a connection for as long as it goes. Why it has ended."""
        try:
            async with self._dial() as connection, trio.open_nursery() as nursery:
                nursery.start_soon(self._receive, connection)
                nursery.start_soon(self._send, connection)
                nursery.start_soon(_tolerating, self._stay_alive, connection)
                nursery.start_soon(_tolerating, _answer, connection)
        except _ENDINGS as error:
            return str(error)
        except BaseExceptionGroup as group:
            ended, cancelled = group.split(Exception)
            why = "" if ended is None else _why(ended)
            if cancelled is not None:
                raise cancelled from None
            return why
        return "the global control plane has ended the connection"

    async def _receive(self, connection: GlobalConnection) -> None:
        await receive(connection.down(), DOWN, self._arrivals, identifier=None)
        raise GlobalLostError("the global control plane has ended the stream to this zone")

    async def _send(self, connection: GlobalConnection) -> None:
        recorded: Connection | None = None

        async def begin(peer: PeerTold) -> Recipient:
            nonlocal recorded
            recorded = await self._insights.connected(self._zone, peer, with_token=False)
            self.connected, self._told = True, ""
            log.info(
                "global-connected: %s, version %s",
                printable(peer.instance),
                printable(peer.version.version),
            )
            return Recipient()

        sender = Sender(
            connection.up(),
            self._offers,
            UP_ORDER,
            lambda table: None if recorded is None else recorded.counted(table.counts),
        )
        try:
            await sender.run(begin)
        finally:
            if recorded is not None:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + ENDING_SECONDS):
                    await recorded.ended()
        raise GlobalLostError("the global control plane has ended the stream of this zone")

    async def _stay_alive(self, connection: GlobalConnection) -> None:
        while True:
            interval = await connection.alive()
            self._insights.heard(self._zone)
            seconds = interval / SECOND if interval > 0 else HEALTH_SECONDS
            await trio.sleep(max(seconds, HEALTH_SECONDS_MIN))


async def _answer(connection: GlobalConnection) -> None:
    await connection.answer_questions()


async def _tolerating(
    call: Callable[[GlobalConnection], Awaitable[None]], connection: GlobalConnection
) -> None:
    """A global control plane that does not know a call does without."""
    try:
        await call(connection)
    except NotOfferedError as error:
        log.info("global-does-without: %s", printable(str(error)))


def _why(group: ExceptionGroup[Exception]) -> str:
    """Why a connection has ended, whose tasks have ended together. A defect is logged: whatever
    the other side brings out, the zone lives on.
    """
    known, defects = group.split(_ENDINGS)
    if defects is not None:
        log.error(
            "request-failed: the connection to the global control plane has a defect",
            exc_info=defects,
        )
    first: BaseException | None = known
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return "this control plane has a defect, which its log shows" if first is None else str(first)
