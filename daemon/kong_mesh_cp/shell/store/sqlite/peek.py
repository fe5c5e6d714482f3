"""Read what a state directory remembers without leaving a trace in it.

A license is checked before anything is opened, made or migrated, and `license check-restart` asks
the same question beside a running daemon. Both need the past and must not touch it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store import rows
from kong_mesh_cp.shell.store.failures import reason, store_corrupt, store_failure, unreadable
from kong_mesh_cp.shell.store.schema import all_migrations, recognise
from kong_mesh_cp.shell.store.sqlite.copies import Copies, merged
from kong_mesh_cp.shell.store.sqlite.database import snapshot, uri
from kong_mesh_cp.shell.store.sqlite.state_directory import STORE_NAME
from kong_mesh_cp.usecases.ports.state_store import Remembered

# A daemon that starts, stops or writes back its log just now changes which way of reading is
# right; it does so once, not again and again.
ATTEMPTS_MAX = 3

_NOTHING = Remembered(high_water={})


def peek(path: Path) -> Remembered:
    """The past that the state directory `path` holds; a missing directory is an empty past.

    Nothing in `path` is made or changed, not even SQLite's files beside the store. Safe beside a
    running daemon. Broken copies are named in `remarks`.
    Raises: StateError `state-unreadable`, and `store-…` for a store that could not be opened
    by the daemon either.
    """
    try:
        # Of a directory that may not be searched, "not there" would be a guess.
        path.stat()
        (path / STORE_NAME).stat()
    except FileNotFoundError:
        store = _NOTHING
    except NotADirectoryError as error:
        raise unreadable(printable(path), "it is not a directory") from error
    except OSError as error:
        raise unreadable(printable(path), reason(error)) from error
    else:
        store = _read_store(path / STORE_NAME)
    return merged(store, Copies(path).read())


def _read_store(path: Path) -> Remembered:
    if _holds_bytes(path, "-journal"):
        # Only while an empty file is being made a store there is no log yet but a journal. That
        # was interrupted: the daemon will undo it, and there is nothing to remember.
        return _NOTHING
    for attempt in range(1, ATTEMPTS_MAX + 1):
        logged = _holds_bytes(path, "-wal")
        try:
            past = _read_logged(path) if logged else _read_at_rest(path)
        except (OSError, sqlite3.Error) as error:
            if attempt == ATTEMPTS_MAX or logged == _holds_bytes(path, "-wal"):
                raise _failure(error, path) from error
            continue
        except ValueError as error:
            raise store_corrupt(printable(path), printable(str(error))) from error
        if logged or not _holds_bytes(path, "-wal"):
            return past
    raise StateError(
        f"the store {printable(path)} is being opened and closed all the time",
        code="store-busy",
        hint="See which processes start: journalctl -u kong-mesh-cp",
    )


def _holds_bytes(path: Path, suffix: str) -> bool:
    """Whether the log (or journal) beside the store may hold what is not in the store itself."""
    try:
        return _beside(path, suffix).stat().st_size > 0
    except OSError:
        return False


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _read_at_rest(path: Path) -> Remembered:
    # Without `immutable`, reading makes -wal and -shm, and fails where it may not.
    return _read(path, "mode=ro&immutable=1")


def _read_logged(path: Path) -> Remembered:
    if _beside(path, "-shm").exists():
        # SQLite then builds its index of the log in its own memory if no process keeps the shared
        # one.
        return _read(path, "mode=ro&readonly_shm=1")
    # A log without its index has no process at work on it (a restored backup): a copy is safe,
    # and there SQLite may make the index.
    with TemporaryDirectory(prefix="kong-mesh-cp-") as directory:
        copy = Path(directory, path.name)
        shutil.copyfile(path, copy)
        shutil.copyfile(_beside(path, "-wal"), _beside(copy, "-wal"))
        return _read(copy, "mode=rw")


def _read(path: Path, parameters: str) -> Remembered:
    connection = sqlite3.connect(uri(path, parameters), uri=True, isolation_level=None)
    with closing(connection):
        newest = all_migrations()[-1].number
        if recognise(connection, printable(path), newest) == 0:
            return _NOTHING
        return snapshot(connection, rows.remembered)


def _failure(error: OSError | sqlite3.Error, path: Path) -> StateError:
    if isinstance(error, OSError):
        return unreadable(printable(path), reason(error))
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
        return unreadable(printable(path), str(error))
    return store_failure(error, path)
