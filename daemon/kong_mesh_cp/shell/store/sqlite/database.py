"""A SQLite file that tasks may read at once and write through one queue."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
)
from functools import partial
from pathlib import Path
from urllib.parse import quote

import trio

from kong_mesh_cp.core.errors import StateError, StateGoneError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store.belongings import Belongings, Look
from kong_mesh_cp.shell.store.failures import directory_failure, store_corrupt, store_failure
from kong_mesh_cp.shell.store.files import FILE_MODE, give_to_owner, sync_directory
from kong_mesh_cp.shell.store.schema import all_migrations, migrate, recognise
from kong_mesh_cp.shell.store.sqlite.index_guard import guarded
from kong_mesh_cp.shell.store.sqlite.store_files import StoreFiles
from kong_mesh_cp.shell.store.writer import Change, T, Writer

BUSY_SECONDS_MAX = 5.0  # how long the writer waits for another program's lock
LOG_BYTES_KEPT_MAX = 4 * 1024 * 1024  # the -wal file is cut to this after it was written back

# A row that no release of this program writes is a ValueError; SQLite asks for any amount of memory
# where its index is damaged.
_FAILURES = (sqlite3.Error, ValueError, MemoryError)


class Database:
    """One store: `write` for changes, `read` and `scan` for questions. Made by `open_database`."""

    def __init__(
        self,
        path: Path | None,
        reading: sqlite3.Connection,
        scanning: sqlite3.Connection,
        writer: Writer,
        *,
        turn: threading.Lock | None,
        files: StoreFiles | None = None,
    ) -> None:
        """`turn`: what the connection is shared by, where there is only one."""
        self.path = path
        self._reading = reading
        self._scanning = scanning
        self._one_scan = trio.CapacityLimiter(1)  # it is one connection
        self._writer = writer
        self._turn = turn
        self._files = files
        self._rescued = False

    async def write(self, change: Change[T], announce: Callable[[T], None] | None = None) -> T:
        """Like `Writer.write`, with SQLite's errors and unreadable rows as StateError."""
        with self._told():
            return await self._writer.write(change, announce)

    async def read(self, question: Change[T]) -> T:
        """Ask on the event loop, in one snapshot: what `question` does must take microseconds.

        It sees every change whose `write` has returned. Raises: StateError.
        """
        return await self._at_once(question, partial(snapshot, question=question))

    async def look_up(self, question: Change[T]) -> T:
        """As `read`, for a question of one statement, whose rows are of one snapshot anyway.

        It must have taken all of them when it returns: until then the snapshot is held.
        """
        return await self._at_once(question, question)

    async def _at_once(self, question: Change[T], asked: Change[T]) -> T:
        """`asked` on the event loop; `question` in a thread where that would wait."""
        await trio.lowlevel.checkpoint()
        if self._turn is None:
            return self._asked(asked)
        # Whose turn it is may take as long as there are rows, and the loop must not wait for it.
        if not self._turn.acquire(blocking=False):
            return await self.scan(question)
        try:
            return self._asked(asked)
        finally:
            self._turn.release()

    def _asked(self, question: Change[T]) -> T:
        try:
            return question(self._reading)
        except _FAILURES as error:
            raise self._failure(error) from error

    async def scan(self, question: Change[T]) -> T:
        """Ask in a thread, in one snapshot, what may take as long as there are rows.

        It sees every change whose `write` has returned. One scan runs at a time; cancelling it
        waits for its end. Raises: StateError.
        """
        with self._told():
            return await trio.to_thread.run_sync(self._scan, question, limiter=self._one_scan)

    async def look_after(self) -> None:
        """Ask something, which also makes SQLite mend its index. Raises: StateError.

        Where the log was taken away, what is only in it comes into the store: this process alone
        has it.
        """
        if self._files is None:
            return
        if self._files.index_is_spoilt:
            await self.write(_any_question)  # whose beginning mends it
        files = self._files

        def look(connection: sqlite3.Connection) -> bool:
            _any_question(connection)
            return files.log_is_lost()

        lost = await self.scan(look)
        if lost and not self._rescued:
            with self._told():
                await trio.to_thread.run_sync(self._write_log_back, limiter=self._one_scan)
        self._rescued = lost

    def _write_log_back(self) -> None:
        self._scanning.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> StateError:
        with contextlib.suppress(OSError):
            fault = None if self._files is None else self._files.fault()
            if fault is not None:  # the reason of what SQLite complains of
                return StateGoneError(fault.message, code=fault.code, hint=fault.hint)
        if isinstance(error, sqlite3.Error):
            return store_failure(error, self.path)
        place = "in memory" if self.path is None else printable(self.path)
        return store_corrupt(place, printable(str(error) or type(error).__name__))

    def _scan(self, question: Change[T]) -> T:
        with self._turn or contextlib.nullcontext():
            return snapshot(self._scanning, question)


def _any_question(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA user_version").fetchone()


def snapshot(connection: sqlite3.Connection, question: Change[T]) -> T:
    """Several statements of `question` see one state of the store."""
    connection.execute("BEGIN")
    try:
        return question(connection)
    finally:
        with contextlib.suppress(sqlite3.Error):  # it has ended by itself when reading failed
            connection.execute("ROLLBACK")


@asynccontextmanager
async def open_database(
    path: Path | None, belongings: Belongings | None = None
) -> AsyncIterator[Database]:
    """Open (make, migrate) the store in `path`; None: one that lives in memory.

    The files of the store are added to `belongings`, and nothing is written while any of those is
    missed.
    Resource handling: on exit, also by cancellation, what `write` accepted is committed, the
    thread is joined and the connections are closed.
    Raises: StateError.
    """
    with ExitStack() as opened:
        try:
            writing, *questioned = _connect(path, opened)
        except sqlite3.Error as error:
            raise store_failure(error, path) from error
        reading, scanning = questioned or (writing, writing)
        # In memory all are one connection, and `turn` keeps readers out of its transactions.
        turn = threading.Lock() if path is None else None
        files = None if path is None else _held_open(path)
        owned = belongings or Belongings()
        if files is not None:
            owned.add(files.fault)
        writer = Writer(
            writing,
            turn or contextlib.nullcontext(),
            may_commit=_requiring(owned, None if files is None else files.fault_before_commit),
            require_kept=_requiring(owned, None if files is None else files.fault_after_commit),
            begin=_mending(files),
        )
        try:
            with guarded(files.keep_index_length) if files else contextlib.nullcontext():
                try:
                    yield Database(path, reading, scanning, writer, turn=turn, files=files)
                finally:
                    # The readers go first: the last connection writes the log back, and that is
                    # the writer's, in its thread.
                    for connection in questioned:
                        connection.close()
                    await writer.close()
        finally:
            if files is not None:
                owned.remove(files.fault)
                files.close()


def _requiring(owned: Belongings, quick: Look | None) -> Callable[[], None]:
    """Raises what is wrong with all that is owned, when it was wrong before or `quick` says so."""

    def require() -> None:
        owned.require_as_known()
        try:
            fault = None if quick is None else quick()
        except OSError as error:
            raise directory_failure(error, Path("store.db")) from error
        if fault is not None:
            owned.require()
            raise StateGoneError(fault.message, code=fault.code, hint=fault.hint)

    return require


def _mending(files: StoreFiles | None) -> Callable[[], None]:
    """What is done before each transaction."""

    def mend() -> None:
        if files is None:
            return
        try:
            files.mend_index()
        except OSError as error:
            raise directory_failure(error, files.path) from error

    return mend


def _held_open(path: Path) -> StoreFiles:
    try:
        return StoreFiles(path)
    except OSError as error:
        raise directory_failure(error, path) from error


def uri(path: Path, parameters: str) -> str:
    """How SQLite is given a file name with parameters, whatever bytes the name has."""
    return f"file:{quote(os.fsencode(path))}?{parameters}"


def _connect(path: Path | None, opened: ExitStack) -> list[sqlite3.Connection]:
    """The connection to write by, then those to read and to scan by, if they are others."""
    if path is None:
        memory = _connection(":memory:", opened)
        migrate(memory, "the store in memory")
        return [memory]
    _make(path)
    writing = _connection(uri(path, "mode=rw"), opened)
    # First of all: a file that is none of ours is refused untouched. Then the log, so that
    # migrations go through it as well and `peek` can rely on it.
    recognise(writing, printable(path), newest=all_migrations()[-1].number)
    _use_log(writing, path)
    migrate(writing, printable(path))
    return [writing, _questioned(path, opened), _questioned(path, opened)]


def _questioned(path: Path, opened: ExitStack) -> sqlite3.Connection:
    connection = _connection(uri(path, "mode=rw"), opened)
    connection.execute("PRAGMA busy_timeout = 0")  # no reader waits in WAL mode; the loop must not
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connection(name: str, opened: ExitStack) -> sqlite3.Connection:
    connection = opened.enter_context(
        closing(
            sqlite3.connect(
                name,
                uri=True,
                isolation_level=None,  # transactions are ours, not the module's
                check_same_thread=False,  # opened here, used and closed in the writer thread
                timeout=BUSY_SECONDS_MAX,
            )
        )
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _use_log(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StateError(
            f"the file system of {printable(path)} cannot share memory between processes",
            code="state-unsuitable",
            hint="Keep the state directory on a local file system (not NFS or SMB).",
        )
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_KEPT_MAX}")


def _make(path: Path) -> None:
    """Make an empty file with our mode: SQLite gives its -wal and -shm the same one."""
    try:
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        return
    except OSError as error:
        raise directory_failure(error, path) from error
    try:
        give_to_owner(made, path.parent)
        sync_directory(path.parent)
    except OSError as error:
        raise directory_failure(error, path) from error
    finally:
        os.close(made)
