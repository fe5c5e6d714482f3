"""The net below publishing: now and then all is made from scratch, and has to be what it was.

Whatever is found was missed, by the feed of changes, by `reach` or by what was remembered: a fault
of this program. It is put right, counted and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, Generic, NoReturn, TypeVar

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.data_plane.publishing.publishing import (
    SLICE_SECONDS,
    MeshGenerator,
    Publishing,
)
from kong_mesh_cp.usecases.data_plane.publishing.watches import Configuration, Watch, says_the_same
from kong_mesh_cp.usecases.data_plane.publishing.worlds import Worlds

INTERVAL_SECONDS: Final = 300.0
LATE_SECONDS: Final = 10.0  # a change that was not told for so long was missed
REST_FACTOR: Final = 9.0  # work is followed by this much rest, so it takes a tenth of the time
ATTEMPTS_MAX: Final = 3  # to see the store and the world at one moment; they change meanwhile

C = TypeVar("C", bound=Configuration)
W = TypeVar("W")

log = logging.getLogger(__name__)


class FullPass(Generic[C]):
    """Belongs to the event loop."""

    def __init__(
        self,
        worlds: Worlds,
        publishing: Publishing[C, MeshWorld],
        interval: float = INTERVAL_SECONDS,
        also_held: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`also_held`: meshes that others follow, of which no change may be missed either."""
        self._worlds = worlds
        self._publishing = publishing
        self._interval = interval
        self._also_held = also_held

    async def run(self) -> NoReturn:
        """A pass every `interval` seconds, until cancelled."""
        while True:
            await trio.sleep(self._interval)
            await self.once()

    async def once(self) -> None:
        """One pass through all connected proxies. While the store fails there is none."""
        for mesh in dict.fromkeys((*self._publishing.meshes(), *self._also_held())):
            try:
                await self._look_for_missed(mesh)
                if self._publishing.watches(mesh):
                    await self._make_all(mesh)
            except StateError:
                return  # others report it; what is missed now is found the next time
        self._publishing.counts.full_passes += 1

    async def _look_for_missed(self, mesh: str) -> None:
        """Changes that were not told."""
        suspects = self._worlds.differing(mesh, await self._worlds.stored(mesh))
        if not suspects:
            return
        await trio.sleep(LATE_SECONDS)
        again = self._worlds.differing(mesh, await self._worlds.stored(mesh)) or {}
        # Of one that has gone the version is None: what does not differ any more was not missed.
        missed = [key for key in suspects.keys() & again.keys() if again[key] == suspects[key]]
        for key in missed:
            self._find("xds-change-missed", f"{key.type} {go_quote(key.name)}", mesh)
        self._worlds.read_again(mesh, missed)

    async def _make_all(self, mesh: str) -> None:
        """Each proxy from scratch, with nothing remembered."""
        self._publishing.turn(mesh)
        seen = await self._seen(mesh)
        if seen is None:
            return
        kept, scratch = seen

        def found(watch: Watch) -> None:
            self._find("xds-not-as-from-scratch", f"proxy {go_quote(watch.proxy.name)}", mesh)
            self._worlds.replace(mesh, kept, scratch)

        await make_all(self._publishing, mesh, scratch.world, found)

    async def _seen(self, mesh: str) -> tuple[IndexedMesh, IndexedMesh] | None:
        """The mesh as it is kept, and from scratch, of one moment; None: it never rests."""
        for _ in range(ATTEMPTS_MAX):
            kept = self._worlds.index(mesh)
            stored = await self._worlds.stored(mesh)
            scratch = await self._worlds.from_scratch(mesh, stored)
            if kept is None or scratch is None:
                return None
            if kept is self._worlds.index(mesh) and self._worlds.differing(mesh, stored) == {}:
                return kept, scratch
        return None

    def _find(self, code: str, what: str, mesh: str) -> None:
        self._publishing.counts.full_pass_finds += 1
        log.error(
            "%s: %s of mesh %s had not reached its proxies; now it does. This is a fault of this"
            " program: tell the vendor.",
            code,
            what,
            go_quote(mesh),
        )


async def make_all(
    publishing: Publishing[C, W], mesh: str, world: W, found: Callable[[Watch], None]
) -> None:
    """Each proxy of `mesh` from `world` with nothing remembered: `found` is told of those that were
    told something else, and they are made anew.
    """
    began, generator = publishing.round, publishing.generator(mesh)
    since = trio.current_time()
    for watch in publishing.watches(mesh):
        if _differs(publishing, watch, generator, world, began):
            found(watch)
            publishing.forget_parts(mesh)
            publishing.touch(mesh, watch.proxy.name)
        worked = trio.current_time() - since
        if worked >= SLICE_SECONDS:
            generator.turn()
            await trio.sleep(worked * REST_FACTOR)
            since = trio.current_time()
    await trio.lowlevel.checkpoint()


def _differs(
    publishing: Publishing[C, W],
    watch: Watch,
    generator: MeshGenerator[C, W],
    world: W,
    began: int,
) -> bool:
    """What it was told is not what `world` says; False of one that was made since `began`."""
    if not watch.is_open or watch.round > began or publishing.is_dirty(watch):
        return False
    made = publishing.attempt(watch, lambda: generator.generate(watch.proxy, world))
    if made is None:
        return False
    told = watch.configuration
    return told is None or not says_the_same(told.snapshot, made.snapshot)
