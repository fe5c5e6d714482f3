"""Makes or migrates the store in a database, apart from a start."""

from __future__ import annotations

from contextlib import closing

import psycopg

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import (
    LostWhileCommittingError,
    connect,
)
from kong_mesh_cp.shell.store.postgres.failures import outcome_unknown, store_failure
from kong_mesh_cp.shell.store.postgres.schema import all_migrations, migrate


def migrate_postgres(address: PostgresAddress) -> tuple[int, int]:
    """The versions before and after. Blocks. Raises: StateError, as `open_postgres`."""
    steps = all_migrations()
    try:
        with closing(connect(address)) as connection:
            before = migrate(connection, address, steps)
    except psycopg.Error as error:
        raise store_failure(error, address) from error
    except LostWhileCommittingError as error:
        raise outcome_unknown(str(error), address) from error
    return before, steps[-1].number
