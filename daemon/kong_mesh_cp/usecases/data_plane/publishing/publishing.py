"""What connected proxies are to be told: made anew for whom a change touches, and for nobody else.

Changes come from the worlds of meshes; what is made goes to the streams, which wait for it. The
event loop is held for SLICE_SECONDS at a stretch, however many are touched.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, Generic, NoReturn, Protocol, TypeVar

import trio

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.publishing.dirty_proxies import DirtyProxies
from kong_mesh_cp.usecases.data_plane.publishing.left_out import LeftOut
from kong_mesh_cp.usecases.data_plane.publishing.publishing_counts import PublishingCounts
from kong_mesh_cp.usecases.data_plane.publishing.watches import Configuration, Watch, Watches

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.reach import Reached
    from kong_mesh_cp.core.xds.world import EndpointKey

SLICE_SECONDS: Final = 0.005  # of the loop, before others have their turn
# Work beyond this share of the time is followed by rest for whom it was done: in a storm of changes
# they are told of several at once, and the loop has time for others.
WORK_SHARE: Final = 0.5
WORK_SECONDS_FREE: Final = 0.1  # at once, without rest
REST_SECONDS_MAX: Final = 2.0
FAULTS_MAX: Final = 100  # different ones that are logged once each

C = TypeVar("C", bound=Configuration)
W = TypeVar("W")  # what proxies are told from: the world of a mesh, or that of a zone
W_co = TypeVar("W_co", covariant=True)
W_contra = TypeVar("W_contra", contravariant=True)

log = logging.getLogger(__name__)


class MeshGenerator(Protocol[C, W_contra]):
    """Makes the configurations of one mesh, and remembers what its proxies share."""

    def preparation(
        self, proxy: ConnectedProxy, world: W_contra
    ) -> Callable[[], Awaitable[object]] | None:
        """What has to be awaited before anything can be made for `proxy`; None: nothing.

        It returns when it is there, however long that takes, and raises nothing.
        """
        ...

    def generate(self, proxy: ConnectedProxy, world: W_contra) -> C | None:
        """None: there is no such proxy in `world`."""
        ...

    def with_endpoints(self, made: C, services: Collection[EndpointKey], world: W_contra) -> C:
        """`made` with the endpoints that `services` have in `world`, and else as it is."""
        ...

    def turn(self) -> None:
        """What was used neither since the last turn nor before it may be forgotten."""
        ...


class LiveWorlds(Protocol[W_co]):
    """The meshes of connected proxies, kept up to date. Their changes go to `Publishing.take`."""

    def held(self, mesh: str) -> AbstractAsyncContextManager[None]:
        """Inside of `async with`, `world` has `mesh`, if it exists."""
        ...

    def world(self, mesh: str) -> W_co | None:
        """As it is now; None: there is no such mesh, or nobody holds it."""
        ...


class _Mesh(Generic[C, W]):
    """The proxies of one mesh that are connected here."""

    def __init__(self, generator: MeshGenerator[C, W]) -> None:
        self.generator = generator
        self.watches = Watches()


class _Pace:
    """How much more was worked than the share of the time that has passed; in seconds."""

    def __init__(self) -> None:
        self._excess = 0.0
        self._at = -math.inf

    def rest_after(self, began: float, ended: float) -> float:
        """After work from `began` to `ended`."""
        left = self._excess - WORK_SHARE * (ended - self._at)
        self._excess = min(max(left, 0.0) + ended - began, WORK_SECONDS_FREE + REST_SECONDS_MAX)
        self._at = ended
        return max(self._excess - WORK_SECONDS_FREE, 0.0)


class Publishing(Generic[C, W]):
    """Belongs to the event loop."""

    def __init__(
        self, worlds: LiveWorlds[W], generator: Callable[[str], MeshGenerator[C, W]]
    ) -> None:
        """`generator` makes one for a mesh, with nothing remembered."""
        self.worlds = worlds
        self.generator = generator
        self.counts = PublishingCounts()
        self.left_out = LeftOut()
        self.round = 0  # rises with each configuration that is made
        self._meshes: dict[str, _Mesh[C, W]] = {}
        self._dirty: DirtyProxies[Watch] = DirtyProxies()
        self._pace = _Pace()
        self._news = trio.Event()
        self._faults: set[str] = set()

    @asynccontextmanager
    async def watching(self, proxy: ConnectedProxy) -> AsyncIterator[Watch]:
        """What `proxy` is to be told, kept up to date until the end of `async with`.

        Entering waits for a first snapshot: for the Dataplane, its mesh, and its certificate.
        """
        async with self.worlds.held(proxy.mesh):
            watch = Watch(proxy)
            self._add(watch)
            try:
                await watch.made()
                yield watch
            finally:
                self._remove(watch)

    def take(self, mesh: str, reached: Reached, since: float) -> None:
        """The world of `mesh` is another one since `since` (as `trio.current_time`)."""
        if mesh not in self._meshes or not reached:
            return
        watches = self._meshes[mesh].watches
        if reached.everybody:
            if not len(self._dirty):  # what the passage of before has not used, nobody has
                self.turn(mesh)
            whole = set(watches)
        else:
            whole = watches.named(reached.proxies) | watches.using(reached.callers_of)
        endpoints = watches.using(reached.endpoints) - whole
        for watch in endpoints:
            watch.stale_services |= reached.endpoints
        self._mark(whole, since, whole=True)
        self._mark(endpoints, since, whole=False)

    def touch(self, mesh: str, proxy: str | None = None) -> None:
        """What `proxy` depends on beside its world is another one; None: all of `mesh` do."""
        if mesh not in self._meshes:
            return
        watches = self._meshes[mesh].watches
        found = set(watches) if proxy is None else watches.named((proxy,))
        self._mark(found, trio.current_time(), whole=True)

    async def run(self) -> NoReturn:
        """Make what is to be made, until cancelled."""
        async with trio.open_nursery() as preparing:
            while True:
                due = self._dirty.next_due(trio.current_time())
                if due > trio.current_time():
                    with trio.move_on_at(due):
                        await self._news.wait()
                    self._news = trio.Event()
                else:
                    await self._pass(preparing)

    def meshes(self) -> Iterator[str]:
        """Those with connected proxies."""
        return iter([*self._meshes])

    def watches(self, mesh: str) -> list[Watch]:
        """Those of the proxies of `mesh` that are connected."""
        return [*self._meshes[mesh].watches] if mesh in self._meshes else []

    def is_dirty(self, watch: Watch) -> bool:
        """Something is to be made for it, or is being prepared."""
        return watch in self._dirty or watch.is_preparing

    def forget_parts(self, mesh: str) -> None:
        """Nothing that was remembered of `mesh` is used any more."""
        if mesh in self._meshes:
            self._meshes[mesh].generator = self.generator(mesh)

    def turn(self, mesh: str) -> None:
        """See `MeshGenerator.turn`."""
        if mesh in self._meshes:
            self._meshes[mesh].generator.turn()

    def attempt(self, watch: Watch, make: Callable[[], C | None]) -> C | None:
        """What `make` makes for the proxy of `watch`; None also where a fault of this program keeps
        it from that: the proxy keeps what it has, and others get theirs.
        """
        try:
            return make()
        except Exception as error:
            self.counts.faults += 1
            watch.is_stale = True  # with the next change of its world it is tried again
            text = f"{type(error).__name__}: {error}"
            if text not in self._faults and len(self._faults) < FAULTS_MAX:
                self._faults.add(text)
                log.exception(
                    "xds-not-made: proxy %s of mesh %s keeps the configuration that it has, by a"
                    " fault of this program. Tell the vendor what follows.",
                    go_quote(watch.proxy.name),
                    go_quote(watch.proxy.mesh),
                )
            return None

    @property
    def waiting(self) -> int:
        """Proxies for whom something is to be made."""
        return len(self._dirty)

    def _add(self, watch: Watch) -> None:
        name = watch.proxy.mesh
        if name not in self._meshes:
            self._meshes[name] = _Mesh(self.generator(name))
        self._meshes[name].watches.add(watch)
        self._mark({watch}, trio.current_time(), whole=True)

    def _remove(self, watch: Watch) -> None:
        mesh = self._meshes[watch.proxy.mesh]
        watch.is_open = False
        mesh.watches.remove(watch)
        self._dirty.discard(watch)
        self.left_out.forget(watch)
        if not len(mesh.watches):
            del self._meshes[watch.proxy.mesh]

    def _mark(self, watches: Collection[Watch], since: float, *, whole: bool) -> None:
        if not watches:
            return
        for watch in watches:
            watch.is_stale |= whole
        self._dirty.add(watches, trio.current_time(), since)
        self._news.set()

    async def _pass(self, preparing: trio.Nursery) -> None:
        """Make for all who wait and are not at rest, in slices."""
        slice_began = now = trio.current_time()
        while (taken := self._dirty.take(now)) is not None:
            watch, since = taken
            began = now
            self._make(watch, since, preparing)
            now = trio.current_time()
            rest = self._pace.rest_after(began, now)
            if rest:
                self._dirty.rest(watch, now + rest)
            if now - slice_began >= SLICE_SECONDS:
                self.counts.worked(now - slice_began)
                await trio.lowlevel.checkpoint()
                slice_began = now = trio.current_time()
        self.counts.passed(now - slice_began)
        await trio.lowlevel.checkpoint()

    def _make(self, watch: Watch, since: float, preparing: trio.Nursery) -> None:
        mesh = self._meshes[watch.proxy.mesh]
        world = self.worlds.world(watch.proxy.mesh)
        if world is None or watch.is_preparing:
            return  # it is told when there is one again; it is made again when it was prepared
        made = self.attempt(watch, lambda: self._made(mesh.generator, watch, world, preparing))
        if made is None:
            return
        self.round += 1
        watch.round = self.round
        self.left_out.note(watch, made.left_out)
        if mesh.watches.take(watch, made):
            self.counts.published(trio.current_time() - since)

    def _made(
        self, generator: MeshGenerator[C, W], watch: Watch, world: W, preparing: trio.Nursery
    ) -> C | None:
        services, watch.stale_services = watch.stale_services, set()
        before: C | None = watch.configuration  # type: ignore[assignment]  # this class made it
        if not watch.is_stale and before is not None:
            return generator.with_endpoints(before, services, world)
        preparation = generator.preparation(watch.proxy, world)
        if preparation is not None:
            watch.is_preparing = True
            preparing.start_soon(self._prepare, watch, preparation)
            return None
        watch.is_stale = False
        return generator.generate(watch.proxy, world)

    async def _prepare(self, watch: Watch, preparation: Callable[[], Awaitable[object]]) -> None:
        try:
            await preparation()
        finally:
            watch.is_preparing = False
        if watch.is_open:
            self._mark({watch}, trio.current_time(), whole=True)
