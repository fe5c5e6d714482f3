"""Which key seals secrets in a database. Every function takes a connection.

Only the key's id lies there: it tells keys apart, and nothing about them.
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.failures import missing

SINCE_VERSION: Final = 2  # of the store


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
