"""What the ends of a stream between control planes need of its bytes."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.resources.kinds.subscriptions import KumaCpVersion
from kong_mesh_cp.core.zone_sync.wire_messages import AnyMessage


class Ending(Enum):
    """Why a stream is ended from this side."""

    UNNAMED = auto()  # the zone does not say who it is
    MISNAMED = auto()  # it says two different things
    UNKNOWN_TYPE = auto()  # something comes that nobody has asked for
    NOT_STORED = auto()  # the store does not take it
    UNHEARD = auto()  # the zone's health checks do not come any more


class SyncEndedError(Exception):
    """A stream ends; the text says why."""

    def __init__(self, ending: Ending, message: str) -> None:
        super().__init__(message)
        self.ending = ending
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTold:
    """What a control plane says of itself with its first requests."""

    features: frozenset[str] = frozenset()
    instance: str = ""
    version: KumaCpVersion = KumaCpVersion()
    config: str = ""


class Asked(NamedTuple):
    """A request; `peer` is what came with it."""

    peer: PeerTold | None
    request: Request


class Told(NamedTuple):
    """A response."""

    type: str
    nonce: str
    identifier: str
    resources: tuple[AnyMessage, ...]
    removed: tuple[str, ...]


class SendingStream(Protocol):
    """The end that has resources."""

    async def receive(self) -> Asked | None:
        """None: the peer has nothing more to say."""
        ...

    async def send(self, response: Response) -> None: ...


class ReceivingStream(Protocol):
    """The end that gets them."""

    async def receive(self) -> Told | None:
        """None: the peer has nothing more to say."""
        ...

    async def subscribe(self, type_name: str) -> None: ...

    async def answer(self, told: Told, refusal: str) -> None:
        """`refusal` empty: it was taken."""
        ...
