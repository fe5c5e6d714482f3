"""The daemon's durable memory in SQLite."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store import rows
from kong_mesh_cp.shell.store.belongings import Belongings
from kong_mesh_cp.shell.store.sqlite import resource_rows
from kong_mesh_cp.shell.store.sqlite.copies import Copies, merged
from kong_mesh_cp.shell.store.sqlite.database import Database, open_database
from kong_mesh_cp.shell.store.sqlite.own_slots import OwnSlots
from kong_mesh_cp.shell.store.sqlite.resources import SqliteResources
from kong_mesh_cp.usecases.ports.state_store import AuditEntry, Remembered

log = logging.getLogger(__name__)


class SqliteStore:
    """`StateStore` over one database; with `copies`, two facts are kept twice.

    `resources` and `slots` are the other ports, on the same database.
    """

    def __init__(
        self, database: Database, resources: SqliteResources, copies: Copies | None = None
    ) -> None:
        self.resources = resources
        self.slots = OwnSlots()
        self._database = database
        self._copies = copies
        self._copying = trio.Lock()  # the copy written last is the one of the last change

    async def look_after(self) -> None:
        """As `Database.look_after`."""
        await self._database.look_after()

    async def look_after_copies(self) -> None:
        """Make those again that were taken away. Raises: StateError."""
        if self._copies is None or self._copies.are_files():
            return
        async with self._copying:  # who writes one writes the other a moment later
            past = await self._database.read(rows.remembered)
            if not self._copies.lacks(past):
                return
            if past.trial_started_at is not None:
                await trio.to_thread.run_sync(self._copies.save_trial_start, past.trial_started_at)
            if past.clock is not None:
                await trio.to_thread.run_sync(self._copies.save_clock, past.clock)
        log.warning(
            "state-copy-made-again: trial.json or clock.json in %s was taken away, and is there "
            "again. See that nobody removes files of a running daemon.",
            printable(self._copies.directory),
        )

    async def cluster_id(self) -> str:
        return await self._database.read(rows.cluster_id)

    async def remembered(self) -> Remembered:
        past = await self._database.read(rows.remembered)
        return past if self._copies is None else merged(past, self._copies.read())

    async def save_trial_start(self, at: datetime) -> datetime:
        async with self._copying:
            kept = await self._database.write(lambda c: rows.keep_earlier_trial_start(c, at))
            if self._copies is not None:
                await trio.to_thread.run_sync(self._copies.save_trial_start, kept)
            return kept

    async def save_clock(self, mark: ClockMark) -> None:
        async with self._copying:
            await self._database.write(lambda c: rows.replace_clock(c, mark))
            if self._copies is not None:
                await trio.to_thread.run_sync(self._copies.save_clock, mark)

    async def apply_seats(self, changes: Mapping[SeatId, SeatRecord | None]) -> None:
        asked = dict(changes)  # the caller goes on changing its own while this one is on its way
        await self._database.write(lambda c: rows.change_seats(c, asked))

    async def save_high_water(self, day: date, seats: int) -> None:
        await self._database.write(lambda c: rows.keep_larger_high_water(c, day, seats))

    async def audit(self, entry: AuditEntry) -> None:
        await self._database.write(lambda c: rows.append_audit(c, entry))

    async def audit_entries(self) -> tuple[AuditEntry, ...]:
        """The whole log, oldest first."""
        return await self._database.read(rows.audit_entries)


@asynccontextmanager
async def open_store(
    path: Path | None, copies: Copies | None = None, belongings: Belongings | None = None
) -> AsyncIterator[SqliteStore]:
    """Open (make, migrate) the store in `path`; None: one in memory, gone when it is closed.

    `belongings`: see `open_database`.

    Resource handling: on exit everything accepted is on disk and the writer thread has ended.
    Raises: StateError `state-unwritable`, `state-full`, `state-io`, `state-unsuitable`,
    `store-busy`, `store-corrupt`, `store-foreign`, `store-newer`.
    """
    async with open_database(path, belongings) as database:
        await database.write(rows.make_cluster_id)
        resources = SqliteResources(database, await database.read(resource_rows.revision))
        yield SqliteStore(database, resources, copies)
