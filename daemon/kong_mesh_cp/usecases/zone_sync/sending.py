"""The end of a stream that has resources: all of them at first, then what changes.

Source: docs/wire/zone-sync.md#streams
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import trio

from kong_mesh_cp.core.discovery.delta import DeltaStream
from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.type_order import TypeOrder
from kong_mesh_cp.usecases.zone_sync.offers import Offers, Recipient
from kong_mesh_cp.usecases.zone_sync.sync_ports import PeerTold, SendingStream

# A burst of changes is gathered for so long, and for so many times as long as a look takes: many
# zones, or very many resources, leave the loop to others.
GATHERING_SECONDS: Final = 0.005
GATHERING_SHARE: Final = 4.0
ASKING_SECONDS: Final = 0.1  # for the first requests, so that a mesh comes after what is in it
UNKNOWN_TYPES_MAX: Final = 100  # that are answered on one stream; a peer could make up any number


class Sender:
    """One stream's. `counted` is called after each change of its table's counts."""

    def __init__(
        self,
        stream: SendingStream,
        offers: Offers,
        order: TypeOrder,
        counted: Callable[[DeltaStream], None] = lambda _table: None,
    ) -> None:
        self._stream = stream
        self._offers = offers
        self.table = DeltaStream(order)
        self._order = order
        self._counted = counted
        self._asked: set[str] = set()  # types
        self._all_asked = trio.Event()
        self._unknown: set[str] = set()

    async def run(self, begin: Callable[[PeerTold], Awaitable[Recipient]]) -> None:
        """Until the peer has nothing more to say, or the stream ends.

        `begin`: for whom it is, of what the peer says with its first request.
        """
        asked = await self._stream.receive()
        if asked is None:
            return
        peer = asked.peer or PeerTold()
        recipient = await begin(peer)
        await self._offers.ready()
        # Each type has one response at a time on its way, and each unknown one its only one. A peer
        # that answers what it has not read yet is heard again when it has read.
        room = len(self._order.order) + UNKNOWN_TYPES_MAX
        put, take = trio.open_memory_channel[Response](room)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, take)
            nursery.start_soon(self._publish, put, recipient)
            while asked is not None:
                await self._queue(put, self._answer(asked.request))
                asked = await self._stream.receive()
            nursery.cancel_scope.cancel()

    async def _publish(self, put: trio.MemorySendChannel[Response], recipient: Recipient) -> None:
        with trio.move_on_after(ASKING_SECONDS):
            await self._all_asked.wait()
        while True:
            began, moment = trio.current_time(), self._offers.moment
            await self._queue(put, self.table.publish(self._offers.snapshot(recipient)))
            await trio.sleep(GATHERING_SHARE * (trio.current_time() - began))
            await self._offers.changed(moment)
            await trio.sleep(GATHERING_SECONDS)

    async def _write(self, take: trio.MemoryReceiveChannel[Response]) -> None:
        async for response in take:
            await self._stream.send(response)

    async def _queue(
        self, put: trio.MemorySendChannel[Response], responses: Iterable[Response]
    ) -> None:
        for response in responses:
            await put.send(response)
        self._counted(self.table)

    def _answer(self, request: Request) -> tuple[Response, ...]:
        if request.type_url in self._order.order:
            self._asked.add(request.type_url)
            if len(self._asked) == len(self._order.order):
                self._all_asked.set()
            return self.table.request(request)
        if request.nonce or request.type_url in self._unknown:
            return ()
        if len(self._unknown) >= UNKNOWN_TYPES_MAX:
            return ()
        # There are none of it: a newer peer asks for what it has and this side does not know.
        self._unknown.add(request.type_url)
        nonce = f"none-{len(self._unknown)}"
        return (Response(request.type_url, "", nonce, (), ()),)
