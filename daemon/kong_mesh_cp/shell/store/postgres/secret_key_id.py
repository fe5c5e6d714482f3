"""Which key seals secrets in a database. Every function takes a connection.

Only the key's id lies there: it tells keys apart, and nothing about them.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.failures import missing

SINCE_VERSION: Final = 2  # of the store

# The class of advisory locks by which control planes see each other: "kmcp".
_PRESENCE: Final = 0x6B6D6370
_OTHERS: Final = (
    "SELECT count(DISTINCT objid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = %s AND objid::bigint <> %s"
)


def read(connection: Connection) -> str | None:
    row = connection.execute("SELECT secret_key_id FROM store").fetchone()
    return None if row is None else row[0]


def agree(connection: Connection, key_id: str) -> str:
    """Let the key `key_id` be the one that seals if there is none yet; the one that does."""
    row = connection.execute(
        "UPDATE store SET secret_key_id = coalesce(secret_key_id, %s) RETURNING secret_key_id",
        (key_id,),
    ).fetchone()
    if row is None:
        raise missing("store")
    return str(row[0])


def show_presence(connection: Connection, instance: str) -> None:
    """Let the others see that the control plane `instance` is there, as long as `connection` is."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_PRESENCE, _number_of(instance)))


def replace(connection: Connection, key_id: str, instance: str) -> None:
    """Let the key `key_id` seal from now on. Takes a connection inside of a transaction, which
    has the lock of all who write from here on.

    Raises: StateError `secret-key-shared` while others are connected, who may not have that key.
    """
    row = connection.execute("SELECT secret_key_id FROM store FOR UPDATE").fetchone()
    if row is None:
        raise missing("store")
    if row[0] == key_id:
        return
    others = connection.execute(_OTHERS, (_PRESENCE, _number_of(instance))).fetchone()
    if others is not None and others[0]:
        raise StateError(
            f"{others[0]} more control planes are connected to this database, and could not read"
            " what a new key seals",
            code="secret-key-shared",
            hint="Stop them, rotate, copy secret-key to their state directories, and start them.",
        )
    connection.execute("UPDATE store SET secret_key_id = %s", (key_id,))


def _number_of(instance: str) -> int:
    return crc32(instance.encode()) & 0x7FFFFFFF
