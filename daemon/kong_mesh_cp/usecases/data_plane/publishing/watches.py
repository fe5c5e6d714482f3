"""Connected proxies, and what each of them is to be told."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy

if TYPE_CHECKING:
    from kong_mesh_cp.core.discovery.snapshots import Snapshot
    from kong_mesh_cp.core.xds.draft import Complaint
    from kong_mesh_cp.core.xds.services.backends import ServiceKey


K = TypeVar("K", bound=Hashable)


class Configuration(Protocol):
    """What was generated for one proxy: a `Generated` of core/xds."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def left_out(self) -> tuple[Complaint, ...]: ...

    @property
    def services(self) -> Collection[ServiceKey]:
        """Those that it depends on: on their endpoints, or on what else they are. By their tag;
        of those that are resources the resource, and the ports.
        """
        ...


class Watch:
    """What one stream's proxy is to be told. Belongs to the event loop."""

    def __init__(self, proxy: ConnectedProxy) -> None:
        self.proxy = proxy
        self.configuration: Configuration | None = None
        self.complaints: tuple[Complaint, ...] = ()  # what could not be made of it, and why
        self.is_open = True
        self.is_stale = True  # all of it is to be made anew, not only endpoints
        self.stale_services: set[ServiceKey] = set()
        self.is_preparing = False  # something that it takes is being made
        self.round = -1  # see `Publishing.round`: in which it was made last
        self._first = trio.Event()
        self._news = trio.Event()
        self._changes = 0
        self._told = 0

    @property
    def snapshot(self) -> Snapshot:
        """The newest. There is one from `Publishing.watching` on."""
        if self.configuration is None:
            raise RuntimeError("nothing was made for this proxy yet")
        return self.configuration.snapshot

    async def changed(self) -> None:
        """Return when `snapshot` says something else than at the last return; at first, at once.

        What changes several times meanwhile is one change. For one task at a time.
        """
        while self._told == self._changes:
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        self._told = self._changes

    async def made(self) -> None:
        """Return when there is a first snapshot."""
        await self._first.wait()

    def take(self, configuration: Configuration) -> bool:
        """This was made; whether it says anything else to the proxy than what was there."""
        before, self.configuration = self.configuration, configuration
        self.complaints = configuration.left_out
        if before is not None and says_the_same(before.snapshot, configuration.snapshot):
            return False
        self._changes += 1
        self._first.set()
        self._news.set()
        self._news = trio.Event()
        return True


def says_the_same(one: Snapshot, other: Snapshot) -> bool:
    """Versions are hashes of what resources say."""
    return one is other or _versions(one) == _versions(other)


def _versions(snapshot: Snapshot) -> Mapping[str, str]:
    return {url: each.version for url, each in snapshot.by_type.items() if each.resources}


class Watches:
    """The connected proxies of one mesh, and which services each of them uses."""

    def __init__(self) -> None:
        self._by_name: dict[str, set[Watch]] = {}
        self._by_service: dict[ServiceKey, set[Watch]] = {}

    def __len__(self) -> int:
        return sum(len(each) for each in self._by_name.values())

    def __iter__(self) -> Iterator[Watch]:
        for found in self._by_name.values():
            yield from found

    def add(self, watch: Watch) -> None:
        self._by_name.setdefault(watch.proxy.name, set()).add(watch)

    def remove(self, watch: Watch) -> None:
        _drop(self._by_name, watch.proxy.name, watch)
        for service in () if watch.configuration is None else watch.configuration.services:
            _drop(self._by_service, service, watch)

    def take(self, watch: Watch, configuration: Configuration) -> bool:
        """As `Watch.take`."""
        before = watch.configuration
        was = set(before.services) if before is not None else set()
        now = was if configuration is before else set(configuration.services)
        for service in was - now:
            _drop(self._by_service, service, watch)
        for service in now - was:
            self._by_service.setdefault(service, set()).add(watch)
        return watch.take(configuration)

    def named(self, names: Iterable[str]) -> set[Watch]:
        """Those of the proxies called so."""
        return {watch for name in names for watch in self._by_name.get(name, ())}

    def using(self, services: Iterable[ServiceKey]) -> set[Watch]:
        """Those whose configuration depends on one of `services`."""
        return {watch for each in services for watch in self._by_service.get(each, ())}


def _drop(book: dict[K, set[Watch]], key: K, watch: Watch) -> None:
    found = book.get(key, set())
    found.discard(watch)
    if not found:
        book.pop(key, None)
