"""From what SQLite and the file system report to an error that an operator can act on."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.host.ownership import user_name

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_PRIMARY_CODE = 0xFF  # SQLite keeps the kind of an error in the low byte, the detail above it


def own_user() -> str:
    """The user whose rights count, by name where it has one."""
    return user_name(os.geteuid())


def store_failure(error: sqlite3.Error, path: Path | None) -> StateError:
    """Why the store in `path` (None: in memory) could not do what it was asked."""
    name = "the store in memory" if path is None else printable(path)
    said = printable(str(error))
    match getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE:
        case sqlite3.SQLITE_FULL:
            return _full(name, path, said)
        # The VFS says "I/O error" when the index beside the log cannot grow on a full disk.
        case sqlite3.SQLITE_IOERR if path is not None and _is_full(path.parent):
            return _full(name, path, said)
        case sqlite3.SQLITE_IOERR:
            return StateError(
                f"reading or writing {name} failed: {said}",
                code="state-io",
                hint="Look for errors of the disk and for quotas: dmesg, quota, df -h.",
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return unwritable(name, said, path)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return store_corrupt(name, said)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StateError(
                f"another program holds {name} locked",
                code="store-busy",
                hint="End that program (a database shell, a backup); find it with fuser -v.",
            )
        case _:
            return StateError(
                f"the store {name} refused a change: {said}",
                code="store-failed",
                hint="This is a fault of the program; keep a copy of the store and report it.",
            )


def reason(error: OSError) -> str:
    return error.strerror or printable(str(error))


def directory_failure(error: OSError, path: Path) -> StateError:
    """Why a file or folder of the state directory could not be made, read or written."""
    said = reason(error)
    if error.errno in _NO_SPACE:
        return _full(printable(path), path, said)
    return unwritable(printable(path), said, path)


def store_corrupt(name: str, said: str) -> StateError:
    return StateError(
        f"the store {name} is damaged: {said}",
        code="store-corrupt",
        hint=(
            "Move it away together with its -wal and -shm files and start again, or restore a"
            " backup; trial and clock are kept in trial.json and clock.json beside it."
        ),
    )


def unreadable(name: str, said: str) -> StateError:
    return StateError(
        f"{name} cannot be read by {own_user()}: {said}",
        code="state-unreadable",
        hint="Run this as root or as the user that owns the state directory.",
    )


def unwritable(name: str, said: str, path: Path | None) -> StateError:
    whose = "" if path is None else _owner(path)
    return StateError(
        f"{name} cannot be written by {own_user()}: {said}{whose}",
        code="state-unwritable",
        hint=(
            f"Give the state directory to {own_user()} (chown -R), or choose another one with"
            " KUMA_GENERAL_WORK_DIR; a read-only file system has to be mounted for writing."
        ),
    )


def _full(name: str, path: Path | None, said: str) -> StateError:
    where = "" if path is None else f" {printable(path.parent)}"
    return StateError(
        f"no space is left for {name}: {said}",
        code="state-full",
        hint=f"Make room on its file system or raise the quota: df -h{where}",
    )


def _is_full(directory: Path) -> bool:
    try:
        return os.statvfs(directory).f_bavail == 0
    except OSError:
        return False


def _owner(path: Path) -> str:
    """Who owns the nearest existing thing on the way to `path`: usually the whole explanation."""
    for each in (path, *path.parents):
        try:
            uid = each.stat().st_uid
        except OSError:
            continue
        return f" ({printable(each)} belongs to {user_name(uid)})"
    return ""
