"""The end of a stream that gets resources: it asks for all types and answers each response.

Source: docs/wire/zone-sync.md#streams
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from kong_mesh_cp.usecases.zone_sync.received_resources import Arrivals
from kong_mesh_cp.usecases.zone_sync.sync_ports import (
    Ending,
    ReceivingStream,
    SyncEndedError,
    Told,
)


async def receive(
    stream: ReceivingStream, types: Sequence[str], arrivals: Arrivals, *, identifier: str | None
) -> None:
    """Until the peer has nothing more to say.

    `identifier`: what each response has to bear; None, anything. Raises: SyncEndedError,
    StateError.
    """
    seen: set[str] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_subscribe, stream, types)
        while (told := await stream.receive()) is not None:
            _require(told, types, identifier)
            refusal = await arrivals.take(told, is_first=told.type not in seen)
            seen.add(told.type)
            await stream.answer(told, refusal)
        nursery.cancel_scope.cancel()


async def _subscribe(stream: ReceivingStream, types: Sequence[str]) -> None:
    for name in types:
        await stream.subscribe(name)


def _require(told: Told, types: Sequence[str], identifier: str | None) -> None:
    if told.type not in types:
        raise SyncEndedError(Ending.UNKNOWN_TYPE, f'invalid resource type "{told.type}"')
    if identifier is not None and told.identifier != identifier:
        text = (
            f'a response is said to be of "{told.identifier}", and comes from the zone'
            f' "{identifier}"'
        )
        raise SyncEndedError(Ending.MISNAMED, text)
