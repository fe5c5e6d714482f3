"""Read what a database remembers of a control plane, without leaving a trace in it."""

from __future__ import annotations

from contextlib import closing

import psycopg

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.store.postgres import secret_key_id, state
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection, connect, naming_who_locks
from kong_mesh_cp.shell.store.postgres.failures import store_failure
from kong_mesh_cp.shell.store.postgres.schema import (
    all_migrations,
    recognise,
    require_writable,
)
from kong_mesh_cp.usecases.ports.state_store import Remembered


@dataclass(frozen=True, slots=True)
class Peeked:
    """What a start has to know before it migrates anything."""

    past: Remembered
    secret_key_id: str | None  # of the key that seals in this database; None: none is agreed on
    version: int  # of the store; 0: there is none yet


def peek_postgres(address: PostgresAddress, instance: str | None) -> Peeked:
    """The past of `instance` in the database at `address`; None: of one that is new there.

    Blocks, for a bounded time. Changes nothing: the transaction is a read-only one.
    Raises: StateError, as `open_postgres`.
    """
    try:
        with closing(connect(address)) as connection:
            require_writable(connection, address)  # a start is going to write
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return naming_who_locks(connection, lambda c: _read(c, address, instance), address)
    except psycopg.Error as error:
        raise store_failure(error, address) from error


def _read(connection: Connection, address: PostgresAddress, instance: str | None) -> Peeked:
    version = recognise(connection, address, newest=all_migrations()[-1].number)
    if version == 0:
        return Peeked(Remembered(high_water={}), None, version)
    key_id = secret_key_id.read(connection) if version >= secret_key_id.SINCE_VERSION else None
    # An empty name belongs to no control plane.
    return Peeked(state.remembered(connection, instance or ""), key_id, version)
