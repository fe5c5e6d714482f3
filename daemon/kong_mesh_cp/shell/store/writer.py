"""The one thread that writes: many tasks' changes in one transaction, one fsync for all of them.

Why a thread of its own: a commit waits for the disk, and the event loop must not. Why one: SQLite
has one writer at a time anyway, and a single queue lets the changes that arrive during one fsync
share the next one (group commit).
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

import outcome
import trio

from kong_mesh_cp.core.errors import StateError

GROUP_ITEMS_MAX = 256  # changes in one transaction
QUEUE_ITEMS_MAX = 1024  # changes accepted but not yet on disk; further callers wait their turn

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]


def _believe() -> None:
    """For a store that nobody can take away."""


class _Item(Generic[T]):
    """A change on its way, and what became of it."""

    __slots__ = ("announce", "change", "made", "result", "settled")

    def __init__(self, change: Change[T], announce: Callable[[T], None] | None) -> None:
        self.change = change
        self.announce = announce
        self.result: outcome.Outcome[T] | None = None
        self.made: outcome.Value[T] | None = None  # what others see of it now
        self.settled = trio.Event()


def _is_of_store(item: _Item[Any]) -> bool:
    """Whether SQLite has failed a change, and not the change itself."""
    return isinstance(item.result, outcome.Error) and isinstance(item.result.error, sqlite3.Error)


class Writer:
    """Owns `connection` (in autocommit mode) and the thread that uses it, until `close`.

    `turn` is held around each transaction, for a connection that is shared with readers.
    `may_commit` before and `require_kept` after each commit raise StateError where what is
    committed would not be found again. `begin` is called before each transaction; it may raise
    StateError.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        turn: AbstractContextManager[object],
        *,
        may_commit: Callable[[], None] = _believe,
        require_kept: Callable[[], None] = _believe,
        begin: Callable[[], None] = _believe,
    ) -> None:
        self._connection = connection
        self._turn = turn
        self._may_commit = may_commit
        self._require_kept = require_kept
        self._begin = begin
        self._token = trio.lowlevel.current_trio_token()
        self._queue: queue.SimpleQueue[_Item[Any] | None] = queue.SimpleQueue()
        self._room = trio.Semaphore(QUEUE_ITEMS_MAX)
        self._closing = False
        self._stopped = trio.Event()
        self._thread = threading.Thread(target=self._work, name="store-writer")
        self._thread.start()

    async def write(self, change: Change[T], announce: Callable[[T], None] | None = None) -> T:
        """Run `change` in the writer thread; return its result when it is on disk.

        `change` gets a connection inside of a transaction and must touch nothing else: when the
        transaction it shares fails, it is run again in one of its own. What it raises is raised
        here, after its work was undone; other changes of the same transaction do not notice.
        A caller that is cancelled while it waits for room has changed nothing. One that is
        cancelled later does not learn the result, but its change is made whole.
        `announce` gets the result on the event loop, in the order in which changes were made and
        before their callers go on; also when the caller was cancelled. It must not raise.

        Raises: what `change` raises; sqlite3.Error if it could not be committed; StateError
        `store-closed` after `close`.
        """
        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            await self._room.acquire()
        if self._closing:
            self._room.release()
            raise StateError(
                "the store is closed: this process is ending",
                code="store-closed",
                hint="Ask again when it has been started again.",
            )
        item = _Item(change, announce)
        self._queue.put(item)
        await item.settled.wait()
        if item.result is None:
            raise AssertionError("an item is settled only with a result")
        return item.result.unwrap()

    async def close(self) -> None:
        """Take no more changes, finish those accepted, end the thread, close the connection."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        with trio.CancelScope(shield=True):
            await self._stopped.wait()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            with self._turn:
                self._settle(batch)
            self._token.run_sync_soon(self._wake, batch)
        # Closing writes the log back into the store and waits for the disk: not on the loop.
        self._connection.close()
        self._token.run_sync_soon(self._stopped.set)

    def _next_batch(self) -> Sequence[_Item[Any]]:
        """Wait for at least one item, then take what else is there. Empty: nothing will come."""
        batch: list[_Item[Any]] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == GROUP_ITEMS_MAX:
                return batch
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)  # found behind the last items: it is needed once more
        return batch

    def _wake(self, batch: Sequence[_Item[Any]]) -> None:
        for item in batch:
            if item.announce is not None and item.made is not None:
                item.announce(item.made.value)
            item.settled.set()
            self._room.release()

    def _settle(self, batch: Sequence[_Item[Any]]) -> None:
        """Give each item of `batch` its result. A result that is a value is on disk."""
        try:
            self._begin()
            self._connection.execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, StateError, MemoryError) as error:
            for item in batch:
                item.result = outcome.Error(error)
            return
        try:
            for item in batch:
                self._apply(item, alone=len(batch) == 1)
            self._commit(batch)
        except (sqlite3.Error, StateError, MemoryError) as error:
            # A full disk, for one: SQLite gives up the whole transaction, not the one statement.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            self._settle_one_by_one(batch, error)

    def _commit(self, batch: Sequence[_Item[Any]]) -> None:
        if all(isinstance(item.result, outcome.Error) for item in batch):
            with contextlib.suppress(sqlite3.Error):  # it may have given up by itself
                self._connection.execute("ROLLBACK")
            if any(_is_of_store(item) for item in batch):
                self._may_commit()  # which knows better what is wrong
                self._require_kept()
            return
        self._may_commit()
        self._connection.execute("COMMIT")
        for item in batch:
            item.made = item.result if isinstance(item.result, outcome.Value) else None
        try:
            self._require_kept()
        except StateError as error:
            # The files were taken away meanwhile: it was made, and may not be found again.
            for item in batch:
                if item.made is not None:
                    item.result = outcome.Error(error)

    def _settle_one_by_one(
        self, batch: Sequence[_Item[Any]], error: sqlite3.Error | StateError | MemoryError
    ) -> None:
        if len(batch) > 1 and isinstance(error, sqlite3.Error):
            for item in batch:
                self._settle([item])
            return
        for item in batch:
            # Keep the item's own error: `error` may only say that its savepoint has gone with it.
            own = isinstance(item.result, outcome.Error)
            if not own or (isinstance(error, StateError) and _is_of_store(item)):
                item.result = outcome.Error(error)

    def _apply(self, item: _Item[Any], *, alone: bool) -> None:
        """Whatever the change raises belongs to the task that asked for it, bugs included.

        What one change may undo when it is `alone` is the whole transaction.
        """
        if alone:
            item.result = outcome.capture(item.change, self._connection)
            return
        self._connection.execute("SAVEPOINT item")
        item.result = outcome.capture(item.change, self._connection)
        if isinstance(item.result, outcome.Error):
            self._connection.execute("ROLLBACK TO item")
        self._connection.execute("RELEASE item")
