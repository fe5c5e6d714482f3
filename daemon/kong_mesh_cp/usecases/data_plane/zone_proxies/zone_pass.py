"""As `full_pass`, of the proxies of a zone. That no change of a mesh was missed is seen by that."""

from __future__ import annotations

import logging
from typing import Generic, NoReturn, TypeVar

import trio

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.usecases.data_plane.publishing.full_pass import INTERVAL_SECONDS, make_all
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing
from kong_mesh_cp.usecases.data_plane.publishing.watches import Configuration, Watch
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_worlds import NO_MESH

C = TypeVar("C", bound=Configuration)
W = TypeVar("W")

log = logging.getLogger(__name__)


class ZonePass(Generic[C, W]):
    """Belongs to the event loop."""

    def __init__(self, publishing: Publishing[C, W], interval: float = INTERVAL_SECONDS) -> None:
        """`interval`: in seconds."""
        self._publishing = publishing
        self._interval = interval

    async def run(self) -> NoReturn:
        """A pass every `interval` seconds, until cancelled."""
        while True:
            await trio.sleep(self._interval)
            await self.once()

    async def once(self) -> None:
        """One pass through all connected zone proxies."""
        self._publishing.turn(NO_MESH)
        world = self._publishing.worlds.world(NO_MESH)
        if world is not None:
            await make_all(self._publishing, NO_MESH, world, self._found)

    def _found(self, watch: Watch) -> None:
        self._publishing.counts.full_pass_finds += 1
        log.error(
            "xds-not-as-from-scratch: zone proxy %s had not been told all; now it is. This is a"
            " fault of this program: tell the vendor.",
            go_quote(watch.proxy.name),
        )
