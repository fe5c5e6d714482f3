"""What a listener starts for each connection it lets in, whatever protocol is spoken there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Place, Resident

R = TypeVar("R")  # what a refusal is on this listener: all its protocols can say it
R_co = TypeVar("R_co", covariant=True)
R_contra = TypeVar("R_contra", contravariant=True)


class Conversation(Resident, Protocol[R_contra]):
    """One connection from its first byte to its last. Exactly one of the two methods is called.

    It owns its channel and closes it at the end. It raises nothing but Cancelled: it is a task of
    the nursery that all conversations share. It takes part in the drain of its listener.
    """

    async def converse(self) -> None:
        """Serve the peer until one side has had enough."""
        ...

    async def converse_refusing(self, refusal: R_contra) -> None:
        """Answer whatever the peer says first with `refusal`, and close."""
        ...


ConversationFactory = Callable[[Channel, Peer, Place], Conversation[R]]
"""`Peer.socket` of what it is given is the socket that carries the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocols(Generic[R]):
    """What is spoken on one listener, and how it says no before anybody has spoken."""

    by_name: Mapping[str, ConversationFactory[R]]  # names of ALPN (RFC 7301), the preferred first
    default: str  # one of these names: for a peer that names none, or none of these
    busy: Callable[[str], R]  # there is no place for it; the text says why, without a full stop
    tls_expected: Callable[[], R]  # to a peer that speaks in plain text where TLS is spoken

    def named(self, name: str | None) -> ConversationFactory[R]:
        """`name`: what the peer and this listener have agreed on; None: on nothing."""
        return self.by_name[self.default if name is None else name]
