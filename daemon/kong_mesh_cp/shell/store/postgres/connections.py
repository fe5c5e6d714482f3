"""Connections to the server, used by one thread at a time, made anew when they are lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import psycopg
import trio
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.failures import (
    PooledError,
    locked,
    outcome_unknown,
    store_failure,
)
from kong_mesh_cp.shell.store.postgres.lock_holders import holder_of, table_waited_for

# The server ends statements itself; this is for a server, or a way to it, that says nothing.
ANSWER_SECONDS_MAX = 15.0

# By SQLSTATE: the server shuts down or ends the session, also one that was idle for too long.
_UNDONE = ("25P03", "25P04")  # with its transaction
_ENDED = ("57P", *_UNDONE)

T = TypeVar("T")
V = TypeVar("V")


class Connection(psycopg.Connection[TupleRow]):
    """A connection on which no answer is awaited for ever."""

    def wait(self, gen: PQGen[V], interval: float = 0.1, timeout: float | None = None) -> V:
        try:
            return super().wait(gen, interval, ANSWER_SECONDS_MAX if timeout is None else timeout)
        except psycopg.OperationalError:
            # Without an answer it is unknown what the next one would belong to.
            if self.info.transaction_status is psycopg.pq.TransactionStatus.ACTIVE:
                self.close()
            raise


Question = Callable[[Connection], T]


def connect(address: PostgresAddress) -> Connection:
    """A connection in autocommit mode, to a server itself. Blocks. Raises: psycopg.Error."""
    made = Connection.connect(make_conninfo("", **address.parameters()), autocommit=True)
    try:
        found = made.execute("SELECT current_setting('search_path')").fetchone()
        # A pooler that is told to ignore what the session wants does so without a word.
        if found != (SCHEMA,):
            raise PooledError("it ignores the settings of a session")
    except psycopg.Error:
        made.close()
        raise
    return made


class LostWhileCommittingError(Exception):
    """It is unknown whether the server has made the transaction."""


def transaction(connection: Connection, change: Question[T]) -> T:
    """Run `change` in a transaction of its own: whole or not at all.

    Raises: what `change` raises; psycopg.Error when nothing was changed;
    LostWhileCommittingError.
    """
    connection.execute("BEGIN")
    # When this raises, `Connections` closes the connection, and that undoes it.
    result = change(connection)
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if _lost(error) and error.sqlstate not in _UNDONE:
            raise LostWhileCommittingError(str(error)) from error
        raise
    return result


def naming_who_locks(
    connection: Connection, work: Question[T], address: PostgresAddress, table: str | None = None
) -> T:
    """Run `work`; where it waits in vain for a lock on the store, say whose.

    `table` is the one that it locks, where the server does not say.
    Raises: StateError `store-busy`; what `work` raises.
    """
    try:
        return work(connection)
    except psycopg.errors.LockNotAvailable as error:
        if connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
        holder = holder_of(connection, table or table_waited_for(error))
        if holder is None:
            raise
        raise locked(holder, address) from error


def _lost(error: psycopg.Error) -> bool:
    """An answer with a state is the server's no, unless it says that the session has to go."""
    return error.sqlstate is None or error.sqlstate.startswith(_ENDED)


class Connections:
    """At most `address.connections_max`, each in a thread while it is used.

    Not psycopg_pool: its threads and its waiting for a server would stand beside trio's. A lost
    connection is noticed by using it; then all idle ones are dropped and a new one is tried once.
    """

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address
        self._limiter = trio.CapacityLimiter(address.connections_max)
        self._idle: list[Connection] = []
        self._closed = False

    async def use(self, work: Question[T]) -> T:
        """Run `work` in a thread. It may run twice, the first time without any effect.

        Cancelling waits for its end. Raises: StateError; whatever else `work` raises.
        """
        try:
            return await trio.to_thread.run_sync(self._use, work, limiter=self._limiter)
        except psycopg.Error as error:
            raise store_failure(error, self.address) from error
        except LostWhileCommittingError as error:
            raise outcome_unknown(str(error), self.address) from error

    def one_in_worker_thread(self) -> Connections:
        """One that is taken from these, for work that must not wait for them; of one, itself."""
        if self._limiter.total_tokens == 1:
            return self
        self._limiter.total_tokens -= 1
        return Connections(replace(self.address, connections_max=1))

    def close(self) -> None:
        """Close what is idle now, and what is in use when it has been used."""
        self._closed = True
        self._drop_idle()

    def _use(self, work: Question[T]) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._use_once(connect(self.address), work)
        try:
            return self._use_once(connection, work)
        except psycopg.Error as error:
            if not _lost(error):
                raise
        # It may have been dead for hours: that says nothing about the server now.
        self._drop_idle()
        return self._use_once(connect(self.address), work)

    def _use_once(self, connection: Connection, work: Question[T]) -> T:
        try:
            return naming_who_locks(connection, work, self.address)
        finally:
            idle = connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
            if idle and not self._closed:
                self._idle.append(connection)
            else:
                connection.close()

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()
