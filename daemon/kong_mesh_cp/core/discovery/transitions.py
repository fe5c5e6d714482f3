"""One type on one stream as a state machine: the table, and how a request is read as an event.

Rule 1: every transition is in TRANSITIONS; nobody else assigns a state.
Rule 2: an event that the table does not have for a state is a bug of ours and raises KeyError.
A client cannot cause one: `event_of` reads whatever it sends as one of three events.

A client has a type in one of these states:

    SILENT      it has not asked for this type on this stream
    WAITING     it asked, and nothing was sent yet: there may be nothing of what it wants
    IN_FLIGHT   a response was sent and not answered; until then there is no second one
    CURRENT     it took the last response, or came with the version that it would be told
    REFUSED     it refused the last response; it has what it had before, or a part of the new

"The server should not send a response for a request with a stale nonce" (xDS, "ACK and NACK
semantics summary"): a client answers each response with a request, and what it wants by then is
in that one. State of the world therefore ignores the whole of a stale request. Delta ignores
only that it is an answer, because its subscriptions are told once.

Source: docs/wire/discovery.md#requests-and-responses
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from kong_mesh_cp.core.discovery.exchanges import Request


class State(Enum):
    """Where a type stands on a stream."""

    __hash__ = object.__hash__  # the table is asked for each request and response

    SILENT = auto()
    WAITING = auto()
    IN_FLIGHT = auto()
    CURRENT = auto()
    REFUSED = auto()


class Event(Enum):
    """What happens to a type on a stream."""

    __hash__ = object.__hash__

    OPEN = auto()  # a request before anything of the type was sent on this stream
    SAME = auto()  # the client came with the version that it would be told
    SEND = auto()
    ACKNOWLEDGE = auto()
    REFUSE = auto()
    ASK = auto()  # a request that answers nothing: other names, or the same ones again
    STALE = auto()  # a request that answers a response before the last one


TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.SILENT: {Event.OPEN: State.WAITING},
    State.WAITING: {
        Event.OPEN: State.WAITING,
        Event.SAME: State.CURRENT,
        Event.SEND: State.IN_FLIGHT,
    },
    State.IN_FLIGHT: {
        Event.ACKNOWLEDGE: State.CURRENT,
        Event.REFUSE: State.REFUSED,
        Event.STALE: State.IN_FLIGHT,
    },
    State.CURRENT: {
        Event.OPEN: State.WAITING,
        Event.SEND: State.IN_FLIGHT,
        Event.ASK: State.CURRENT,
        Event.STALE: State.CURRENT,
    },
    State.REFUSED: {
        Event.SEND: State.IN_FLIGHT,
        Event.ASK: State.REFUSED,
        Event.STALE: State.REFUSED,
    },
}


def event_of(state: State, nonce: str, request: Request) -> Event:
    """What `request` is, if `nonce` is that of the last response of its type on this stream.

    An empty `nonce`: there was none. Whatever nonce the request has is then one of an older stream.
    """
    if not nonce:
        return Event.OPEN
    if request.nonce != nonce:
        return Event.STALE
    if state is not State.IN_FLIGHT:
        return Event.ASK
    return Event.REFUSE if request.refused or request.error else Event.ACKNOWLEDGE
