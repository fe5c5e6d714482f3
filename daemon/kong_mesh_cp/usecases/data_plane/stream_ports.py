"""What streams of proxies need: the connection, who a proxy is, and what it is to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import NamedTuple, Protocol

from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream
from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.usecases.data_plane.authentication import Proven, ProxyIdentity
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy


class NodeTold(NamedTuple):
    """Envoy's node in a request."""

    id: str
    metadata: Mapping[str, object]  # as JSON


class Received(NamedTuple):
    """A request as it came; Envoy says who it is with the first one of a stream only."""

    node: NodeTold | None
    request: Request


class ProxyStream(Protocol):
    """One stream of a proxy, whatever carries it.

    `receive` and `send` raise what the carrier says when the peer is gone, or sent what is no
    request; that passes through.
    """

    @property
    def credentials(self) -> Sequence[str] | None:
        """All values of the metadata `authorization`; None: there is no metadata."""
        ...

    @property
    def address(self) -> str:
        """Of the peer, for logs."""
        ...

    @property
    def connection(self) -> object:
        """The same for two streams of one connection, which lives when one of them says so."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the control plane ends the stream, and not the proxy."""
        ...

    def table(self) -> OrderedStream:
        """A new table of the variant that the proxy speaks."""
        ...

    async def receive(self) -> Received | None:
        """None: the proxy has said all it has to say."""
        ...

    async def send(self, response: Response) -> None:
        """Return when the peer has room for more."""
        ...


class ProxyVerifier(Protocol):
    """Whether a proxy is who it says."""

    async def verify(self, credentials: Sequence[str] | None, proxy: ProxyIdentity) -> Proven:
        """Raises: ProxyRefusedError."""
        ...


class Watching(Protocol):
    """What one proxy is to have."""

    @property
    def snapshot(self) -> Snapshot: ...

    async def changed(self) -> None:
        """Return when `snapshot` says something else than at the last return; at first, at once."""
        ...


class Configuring(Protocol):
    """What proxies are to have, from the resources of their meshes: `Publishing`, for one."""

    def watching(self, proxy: ConnectedProxy) -> AbstractAsyncContextManager[Watching]:
        """Keep up what `proxy` is to have until the end of `async with`. Entering waits for it."""
        ...


class Ending(StrEnum):
    """What kind of end a stream has come to; the carrier has a status for each."""

    REFUSED = "refused"  # in words of the original, which gives no other status for them
    FULL = "full"  # nothing is wrong with the proxy: a license or a quota has no room
    NOT_NOW = "not-now"  # it will be possible
    GONE = "gone"  # its Dataplane, or its mesh, is no more
    ELSEWHERE = "elsewhere"  # another stream of the proxy has its place


class StreamEndedError(ControlPlaneError):
    """The end of a proxy's stream; the proxy is told `message`."""

    def __init__(self, ending: Ending, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.ending = ending
