"""The directory that holds what a control plane remembers, owned by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Self

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.host.ownership import distrust
from kong_mesh_cp.shell.store.belongings import Belongings
from kong_mesh_cp.shell.store.failures import directory_failure, unwritable
from kong_mesh_cp.shell.store.files import FILE_MODE, give_to_owner
from kong_mesh_cp.shell.store.sqlite.copies import Copies
from kong_mesh_cp.shell.store.sqlite.store import SqliteStore, open_store

DIRECTORY_MODE = 0o750
STORE_NAME = "store.db"
LOCK_NAME = "lock"
OWN_NAMES = (
    LOCK_NAME,
    STORE_NAME,
    *(f"{STORE_NAME}-{part}" for part in ("journal", "shm", "wal")),
    "clock.json",
    "instance",
    "trial.json",
)
COMMAND_CHARACTERS_MAX = 120
PID_BYTES_MAX = 32  # of what a lock holds

log = logging.getLogger(__name__)


class StateDirectory:
    """A state directory that this process has locked. Made by `open`; ends with `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.copies = Copies(path)
        self.belongings = Belongings()
        self._lock: int | None = lock
        self._locking = threading.Lock()
        self._opened = _identity(path.stat())
        self.belongings.add(self._moved)
        self.belongings.add(self._unlocked, self._lock_again)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the directory if it is missing, and take its lock.

        Raises: StateError `state-unwritable`, `state-full`, `state-not-own` for a file in it that
        another process may have put there, or `state-locked` naming the process that has it.
        """
        _make(path)
        _require_own(path)
        lock = _lock(path)
        return cls(path, lock)

    def open_store(self) -> AbstractAsyncContextManager[SqliteStore]:
        """The store in this directory, which also keeps trial.json and clock.json current."""
        return open_store(self.path / STORE_NAME, self.copies, self.belongings)

    def close(self) -> None:
        """Give the lock back. Its file stays: if it went, two processes could lock two files."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _moved(self) -> StateError | None:
        try:
            found = _identity(self.path.stat())
        except OSError:
            what = "is not there any more"
        else:
            if found == self._opened:
                return None
            what = "is another directory than the one that the daemon has opened"
        return StateError(
            f"the state directory {printable(self.path)} {what}",
            code="state-directory-gone",
            hint="Move back what was there. If another one was put there on purpose, take it over "
            "with a restart: systemctl restart kong-mesh-cp",
        )

    def _unlocked(self) -> StateError | None:
        """Where another file is called as the lock, that one is locked as well."""
        lock, path = self._lock, self.path / LOCK_NAME
        if lock is None:
            return None
        try:
            found = os.lstat(path)
        except OSError:
            return StateError(
                f"the lock {printable(path)} is not there any more: another daemon could take the "
                "directory",
                code="state-lock-gone",
                hint="Move it back, or let the daemon make it again: systemctl reload kong-mesh-cp",
            )
        if _identity(found) == _identity(os.fstat(lock)):
            return None
        try:
            self._lock_again()
        except StateError as error:
            return error
        return None

    def _lock_again(self) -> None:
        """Lock the file that is called as the lock now, made if there is none. Raises: StateError.

        The one of before stays locked until then: it may be moved back.
        """
        with self._locking:
            before = self._lock
            if before is None or _is_locked(before, self.path / LOCK_NAME):
                return
            self._lock = _lock(self.path)
            os.close(before)
        log.warning("state-locked-again: %s", printable(self.path / LOCK_NAME))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _is_locked(lock: int, path: Path) -> bool:
    try:
        return _identity(path.lstat()) == _identity(os.fstat(lock))
    except OSError:
        return False


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise unwritable(printable(path), "it is not a directory", path) from error
    except OSError as error:
        raise directory_failure(error, path) from error


def _require_own(directory: Path) -> None:
    """No file of ours is a link, another user's, or one that everybody can write.

    Root's commands work in the directory of the daemon, so what is its owner's is right as well.
    """
    owner = directory.stat().st_uid
    for name in OWN_NAMES:
        path = directory / name
        try:
            found = path.lstat()
        except OSError:
            continue  # not there, or opening it says what is wrong
        why = "is no regular file" if not stat.S_ISREG(found.st_mode) else distrust(found, owner)
        if why is not None:
            raise StateError(
                f"{printable(path)} {why}",
                code="state-not-own",
                hint=(
                    "Look who put it there. A file of your own: chown and chmod it as the others;"
                    " any other: move it away."
                ),
            )


def _lock(directory: Path) -> int:
    path = directory / LOCK_NAME
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, FILE_MODE)
    except OSError as error:
        raise directory_failure(error, path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _require_pid(os.pread(descriptor, PID_BYTES_MAX + 1, 0), path)
        give_to_owner(descriptor, directory)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except StateError:
        os.close(descriptor)
        raise
    except OSError as error:
        try:
            if error.errno == errno.EWOULDBLOCK:
                raise _locked(directory, os.pread(descriptor, PID_BYTES_MAX, 0)) from None
            raise directory_failure(error, path) from error
        finally:
            os.close(descriptor)
    return descriptor


def _require_pid(content: bytes, path: Path) -> None:
    """A lock is written anew, and must not be a file that got its name by mistake."""
    if content and not content.strip().isdigit():
        raise StateError(
            f"{printable(path)} holds something else than the id of a process",
            code="state-not-own",
            hint="Look what it is, and move it to where it belongs: the lock is made again.",
        )


def _locked(directory: Path, content: bytes) -> StateError:
    return StateError(
        f"the state directory {printable(directory)} is in use by {_holder(content)}",
        code="state-locked",
        hint=(
            "Stop that process first (systemctl stop kong-mesh-cp), or give this one a state"
            " directory of its own with KUMA_GENERAL_WORK_DIR."
        ),
    )


def _holder(content: bytes) -> str:
    pid = content.strip().decode("ascii", "replace")
    if not pid.isdecimal():
        return "another process"
    try:
        command = Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return f"process {pid}"
    line = " ".join(command.decode("utf-8", "backslashreplace").split("\0")).strip()
    return f"process {pid} ({printable(line[:COMMAND_CHARACTERS_MAX])})"
