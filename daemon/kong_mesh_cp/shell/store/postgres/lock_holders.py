"""Which session holds a lock that was waited for in vain."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import psycopg
from psycopg.rows import TupleRow

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store.postgres.address import SCHEMA

# A row's lock is on no list, but its holder holds a lock on its table as well. So does who
# waits for it: the one that waits for no other is the cause. What a role may not see of another's
# session is null.
_HOLDERS = (
    "SELECT c.relname, a.pid, a.usename, a.application_name, a.xact_start FROM pg_locks AS l"
    " JOIN pg_class AS c ON c.oid = l.relation JOIN pg_stat_activity AS a ON a.pid = l.pid"
    " WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND c.relkind = 'r' AND c.relnamespace = to_regnamespace(%(schema)s)"
    # Reading keeps out only changes of a table's form.
    " AND (l.mode <> 'AccessShareLock' OR %(wanted)s::text IS NULL)"
    " AND (c.relname = %(wanted)s OR %(wanted)s::text IS NULL)"
    " ORDER BY cardinality(pg_blocking_pids(l.pid)) > 0, l.mode = 'AccessShareLock',"
    # Of the tables that one session locked, the one that keeps out the most is said.
    " a.xact_start NULLS LAST, a.pid, l.mode <> 'AccessExclusiveLock', c.relname LIMIT 1"
)
_TABLE_OF_ROW = re.compile(r'relation "(\w+)"')


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A session of the server, and the table whose lock, or a row's lock, it holds."""

    table: str
    pid: int
    user: str | None
    application: str | None
    since: datetime | None  # of its transaction; None: this role may not see it

    def __str__(self) -> str:
        whose = printable(f" of the user {self.user}") if self.user else ""
        program = printable(f" ({self.application})") if self.application else ""
        since = "" if self.since is None else f" since {self.since:%Y-%m-%dT%H:%M:%SZ}"
        return (
            f"the lock on {SCHEMA}.{self.table} is held{since} by the session"
            f" {self.pid}{whose}{program}"
        )


def table_waited_for(error: psycopg.errors.LockNotAvailable) -> str | None:
    """What the server tells of a lock on a row; None where it tells nothing."""
    found = _TABLE_OF_ROW.search(error.diag.context or "")
    return None if found is None else found.group(1)


def holder_of(connection: psycopg.Connection[TupleRow], table: str | None) -> LockHolder | None:
    """Who holds the lock on `table` of the store, or on a row of it; None: on any table of it.

    Takes a connection that is in no transaction. None where it is free again.
    Raises: psycopg.Error.
    """
    row = connection.execute(_HOLDERS.encode(), {"schema": SCHEMA, "wanted": table}).fetchone()
    if row is None:
        return None
    name, pid, user, application, since = row
    return LockHolder(name, pid, user, application, since and since.astimezone(UTC))
