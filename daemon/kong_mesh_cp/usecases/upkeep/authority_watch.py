"""Looks when the authorities of meshes end, and says so in time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.meshes.authority_id import AuthorityId
from kong_mesh_cp.core.meshes.authority_terms import (
    LINES_MAX,
    AuthorityTerm,
    is_ending,
    sentence,
)
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange, Selection
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import readable_as
from kong_mesh_cp.usecases.resources.provided_authorities import ProvidedAuthorities
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds

LOOK_SECONDS: Final = 3600.0  # between two looks where nothing changes
GATHER_SECONDS: Final = 5.0  # for changes that come together, such as the two Secrets of a pair

_FOLLOWED: Final = frozenset({"Mesh", "Secret"})

log = logging.getLogger(__name__)


class AuthorityWatch:
    """Keeps `ends` up to date. A line for each that ends soon, and another one each day."""

    def __init__(
        self,
        replica: Replica,
        authorities: ProvidedAuthorities,
        ends: AuthorityEnds,
        wall_clock: WallClock,
    ) -> None:
        self._replica = replica
        self._authorities = authorities
        self._ends = ends
        self._wall_clock = wall_clock
        self._told: dict[AuthorityId, tuple[datetime, int]] = {}  # its end, and the days left
        self._news = trio.Event()

    async def run(self) -> None:
        """Until cancelled. A store that fails is asked again."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            complaints = FailureLog(log, "authorities-not-looked-at", "authorities-looked-at-again")
            while True:
                with trio.move_on_after(LOOK_SECONDS):
                    await self._news.wait()
                await trio.sleep(GATHER_SECONDS)
                self._news = trio.Event()
                try:
                    await self._look()
                except StateError as error:
                    complaints.failed(error)
                else:
                    complaints.succeeded()

    async def _follow(self) -> None:
        async def take(_change: ResourceChange) -> None:
            self._news.set()

        async def read() -> None:
            self._news.set()

        outcomes = FailureLog(log, "authorities-not-followed", "authorities-followed-again")
        await self._replica.follow(_FOLLOWED, read=read, take=take, outcomes=outcomes)

    async def _look(self) -> None:
        """Raises: StateError."""
        found: dict[AuthorityId, AuthorityTerm] = {}
        for stored in (await self._replica.store.list(Selection(type="Mesh"))).items:
            # Most meshes of a fresh installation have none, and nothing is imported for those.
            mesh = readable_as(Mesh, stored) if '"mtls"' in stored.spec else None
            if mesh is not None:
                found |= await self._authorities.terms(stored.key.name, mesh)
        self._ends.known = {each: term.ends_at for each, term in found.items()}
        self._tell(found, self._wall_clock())

    def _tell(self, found: Mapping[AuthorityId, AuthorityTerm], now: datetime) -> None:
        new = [*self._new(found, now)]
        for each, term in new[:LINES_MAX]:
            level = logging.ERROR if now >= term.ends_at else logging.WARNING
            code = "mesh-ca-ended" if now >= term.ends_at else "mesh-ca-ends-soon"
            log.log(
                level,
                "%s: authority %s of mesh %s %s. %s",
                code,
                go_quote(each.backend),
                go_quote(each.mesh),
                sentence(term, now),
                term.remedy,
            )
        if len(new) > LINES_MAX:
            log.warning(
                "mesh-cas-end-soon: so do those of %d more meshes. The metric"
                " kong_mesh_mesh_ca_expiration_timestamp_seconds has all of them.",
                len(new) - LINES_MAX,
            )

    def _new(
        self, found: Mapping[AuthorityId, AuthorityTerm], now: datetime
    ) -> Iterator[tuple[AuthorityId, AuthorityTerm]]:
        """Those there is something new to say of, the first to end first."""
        told, self._told = self._told, {}
        for each, term in sorted(found.items(), key=lambda item: item[1].ends_at):
            before = told.get(each)
            if not is_ending(term, now):
                if before is not None:
                    log.info(
                        "mesh-ca-renewed: authority %s of mesh %s %s",
                        go_quote(each.backend),
                        go_quote(each.mesh),
                        sentence(term, now).partition(": ")[0],
                    )
                continue
            days = (term.ends_at - now) // timedelta(days=1)  # below 0 once it has ended
            self._told[each] = (term.ends_at, days)
            if before != self._told[each]:
                yield each, term
