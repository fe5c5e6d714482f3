"""Connected proxies, and what each of them is to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import trio

from kong_mesh_cp.core.dataclass import dataclass

if TYPE_CHECKING:
    from kong_mesh_cp.core.discovery.snapshots import Snapshot
    from kong_mesh_cp.core.xds.draft import Complaint
    from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata


class Configuration(Protocol):
    """What was generated for one proxy: a `Generated` of core/xds."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def complaints(self) -> tuple[Complaint, ...]: ...

    @property
    def services(self) -> Collection[str]:
        """Those whose endpoints are in the snapshot, by their tag."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedProxy:
    """A proxy on a stream: which it is, and what it says of itself."""

    mesh: str
    name: str
    metadata: ProxyMetadata


class Watch:
    """One stream's view of what its proxy is to be told. Belongs to the event loop."""

    def __init__(self, proxy: ConnectedProxy) -> None:
        self.proxy = proxy
        self.configuration: Configuration | None = None
        self.is_stale = True  # all of it is to be made anew, not only endpoints
        self.stale_services: set[str] = set()
        self.is_prepared_for = False  # something that it needs is being made
        self.turn = -1  # in which it was made last, see `Publishing.turn`
        self._first = trio.Event()
        self._news = trio.Event()
        self._told: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The newest. There is one from `Publishing.watching` on."""
        if self.configuration is None:
            raise RuntimeError("nothing was made for this proxy yet")
        return self.configuration.snapshot

    @property
    def left_out(self) -> tuple[Complaint, ...]:
        """What could not be made of the newest, and why."""
        return () if self.configuration is None else self.configuration.complaints

    async def changed(self) -> None:
        """Return when `snapshot` is another one than at the last return. At first: at once.

        What changes several times meanwhile is one change. For one task at a time.
        """
        while self.configuration is None or self.configuration.snapshot is self._told:
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        self._told = self.configuration.snapshot

    async def made(self) -> None:
        """Return when there is a first snapshot."""
        await self._first.wait()

    def take(self, configuration: Configuration) -> bool:
        """This is what was made; whether it says anything else to the proxy than before."""
        before = self.configuration
        if before is not None and same(before.snapshot, configuration.snapshot):
            # The old snapshot stays: what it holds is shared with others, and was told.
            self.configuration = _Retold(before.snapshot, configuration)
            return False
        self.configuration = configuration
        self._first.set()
        self._news.set()
        self._news = trio.Event()
        return True


class _Retold:
    """What was made says the same as the snapshot before, which is kept."""

    __slots__ = ("complaints", "services", "snapshot", "made")

    def __init__(self, snapshot: Snapshot, made: Configuration) -> None:
        self.snapshot = snapshot
        self.complaints = made.complaints
        self.services = made.services
        self.made = made


def same(before: Snapshot, after: Snapshot) -> bool:
    """Both say the same: versions are hashes of what resources say."""
    return before is after or versions(before) == versions(after)


def versions(snapshot: Snapshot) -> Mapping[str, str]:
    """By type; of those that have resources."""
    return {url: each.version for url, each in snapshot.by_type.items() if each.resources}
