"""Which files are stores of this program, and how an older one becomes a current one."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError

MIGRATIONS = Path(__file__).with_name("migrations")
APPLICATION_ID = 0x4B4D4350  # "KMCP" in bytes 68 to 71 of the file; file(1) and sqlite3 show it


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from version `number - 1` to version `number`; `sql` holds no COMMIT."""

    number: int
    sql: str


@functools.cache
def all_migrations() -> tuple[Migration, ...]:
    return read_migrations(MIGRATIONS)


def read_migrations(directory: Path) -> tuple[Migration, ...]:
    """The numbered SQL files in a folder of the package, oldest first."""
    # Not through importlib.resources: what it imports is a noticeable part of a start.
    return tuple(
        Migration(int(file.name.partition("_")[0]), file.read_text(encoding="utf-8"))
        for file in sorted(directory.glob("*.sql"))
    )


def recognise(connection: sqlite3.Connection, name: str, newest: int) -> int:
    """The version of the store behind `connection`, 0 for an empty file. Changes nothing.

    Raises: StateError `store-foreign` for another program's database, `store-newer` for a store
    that a later release has migrated; sqlite3.Error for what is no database at all.
    """
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if (application, version) == (0, 0) and not _number(
        connection, "SELECT count(*) FROM sqlite_master"
    ):
        return 0
    if application != APPLICATION_ID:
        raise StateError(
            f"{name} is a database of another program (application id {application:#x})",
            code="store-foreign",
            hint="Move that file away, or choose another directory with KUMA_GENERAL_WORK_DIR.",
        )
    if version > newest:
        raise StateError(
            f"{name} was made by a newer release (store version {version}; this one knows"
            f" {newest})",
            code="store-newer",
            hint="Install that release again, or restore the state directory from before it.",
        )
    return version


def migrate(
    connection: sqlite3.Connection, name: str, steps: Sequence[Migration] | None = None
) -> None:
    """Bring the store to the newest version, each step whole or not at all.

    Raises: StateError as `recognise` does; sqlite3.Error with the failed step undone.
    """
    steps = all_migrations() if steps is None else steps
    version = recognise(connection, name, newest=max(step.number for step in steps))
    for step in steps:
        if step.number > version:
            _apply(connection, step)


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    # BEGIN and COMMIT stand inside of the script: `executescript` first commits what was begun
    # outside. Both pragmas live in the file's header, so the transaction covers them as well.
    script = (
        f"BEGIN IMMEDIATE;\n{step.sql}\nPRAGMA application_id = {APPLICATION_ID};\n"
        f"PRAGMA user_version = {step.number};\nCOMMIT;"
    )
    try:
        connection.executescript(script)
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _number(connection: sqlite3.Connection, question: str) -> int:
    (number,) = connection.execute(question).fetchone()
    return int(number)
