"""The daemon's durable memory in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.shell.store.postgres import rows, secret_key_id, state
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.committing import Committer
from kong_mesh_cp.shell.store.postgres.connections import (
    Connections,
    Question,
    T,
    transaction,
)
from kong_mesh_cp.shell.store.postgres.exposure import warnings
from kong_mesh_cp.shell.store.postgres.feed.listening import Listener
from kong_mesh_cp.shell.store.postgres.feed.looking import Lookout
from kong_mesh_cp.shell.store.postgres.resources import PostgresResources
from kong_mesh_cp.shell.store.postgres.schema import all_migrations, migrate
from kong_mesh_cp.shell.store.postgres.slots import PostgresSlots
from kong_mesh_cp.usecases.ports.state_store import AuditEntry, Remembered, StoreFailure


class PostgresStore:
    """`usecases.ports.state_store.StateStore` of one control plane, the `instance`, among several.

    Cluster id, trial, high water and audit log are common to all; seats and clock are its own.
    `resources` and `slots` are the other ports, on the same database.
    """

    def __init__(
        self,
        connections: Connections,
        instance: str,
        resources: PostgresResources,
        failure: StoreFailure,
    ) -> None:
        """`failure`: what is known of the server right now."""
        self.failure = failure
        self.resources = resources
        self.slots = PostgresSlots(connections, instance)
        self._connections = connections
        self._instance = instance

    async def cluster_id(self) -> str:
        return await self._connections.use(state.cluster_id)

    async def remembered(self) -> Remembered:
        return await self._connections.use(lambda c: state.remembered(c, self._instance))

    async def save_trial_start(self, at: datetime) -> datetime:
        return await self._write(lambda c: state.keep_earlier_trial_start(c, at))

    async def save_clock(self, mark: ClockMark) -> None:
        await self._write(lambda c: state.replace_clock(c, self._instance, mark))

    async def apply_seats(self, changes: Mapping[SeatId, SeatRecord | None]) -> None:
        asked = dict(changes)  # the caller goes on changing its own while this one is on its way
        await self._write(lambda c: state.change_seats(c, self._instance, asked))

    async def save_high_water(self, day: date, seats: int) -> None:
        await self._write(lambda c: state.keep_larger_high_water(c, day, seats))

    async def audit(self, entry: AuditEntry) -> None:
        await self._write(lambda c: state.append_audit(c, entry))

    async def agree_on_secret_key(self, key_id: str) -> str:
        """Let the key `key_id` seal in this database if there is none yet; the one that does."""
        return await self._write(lambda c: secret_key_id.agree(c, key_id))

    async def exposure(self) -> Sequence[str]:
        """Who else may come near it, as lines that warn an operator."""
        return await self._connections.use(lambda c: warnings(c, self._connections.address))

    async def audit_entries(self) -> tuple[AuditEntry, ...]:
        """The whole log, oldest first."""
        return await self._connections.use(state.audit_entries)

    async def _write(self, change: Question[T]) -> T:
        return await self._connections.use(lambda c: transaction(c, change))


@asynccontextmanager
async def open_postgres(
    address: PostgresAddress, *, instance: str, tasks: trio.Nursery
) -> AsyncIterator[PostgresStore]:
    """Open (make, migrate) the store in the database at `address`, for one control plane.

    `instance` names it among those that share the database, and stays the same over restarts.
    Resource handling: three tasks run in `tasks` until the exit; then what was accepted is
    committed and the connections are closed.
    Raises: StateError `state-full`, `state-io`, `state-unsuitable`, `store-busy`, `store-corrupt`,
    `store-denied`, `store-newer`, `store-readonly`, `store-timeout`, `store-unreachable`.
    """
    connections = Connections(address)
    looking = connections.one_in_worker_thread()
    committer = Committer(connections)
    hearing = trio.CancelScope()
    try:
        await connections.use(lambda c: migrate(c, address, all_migrations()))
        feed = ChangeFeed(await connections.use(rows.revision))
        lookout = Lookout(looking, feed)
        await tasks.start(_hear, hearing, Listener(address, lookout, instance), lookout)
        tasks.start_soon(committer.run)
        try:
            resources = PostgresResources(connections, committer, feed, instance)
            yield PostgresStore(connections, instance, resources, lookout.failure)
        finally:
            await committer.close()
    finally:
        hearing.cancel()
        looking.close()
        connections.close()


async def _hear(
    scope: trio.CancelScope,
    listener: Listener,
    lookout: Lookout,
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    with scope:
        async with trio.open_nursery() as both:
            await both.start(listener.run)
            both.start_soon(lookout.run)
            task_status.started()
