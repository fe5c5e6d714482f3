"""From what the server or the way to it reports to an error that an operator can act on."""

from __future__ import annotations

import psycopg

from kong_mesh_cp.core.errors import StateError, StoreRefusedError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.lock_holders import LockHolder

_ACTIVITY = "See what the server is busy with: SELECT * FROM pg_stat_activity."
_COMES_BACK = "It comes back by itself when the server does."
READ_ONLY = "store-readonly"
_CLOSED_TO_CHANGES = (
    READ_ONLY,
    "Is it a standby? Set KUMA_STORE_POSTGRES_HOST to the primary. If it is none, "  # noqa: ISC004
    "default_transaction_read_only is set for the role, the database or the server: take it back.",
)
# By SQLSTATE, from the one that says most to its class of two letters.
_MEANINGS = {
    "53100": ("state-full", "Make room on the disk of the database server."),
    "57014": ("store-timeout", _ACTIVITY),
    "25006": _CLOSED_TO_CHANGES,
    "25P03": ("store-timeout", _ACTIVITY),  # in a transaction that was idle for too long
    "25P04": ("store-timeout", _ACTIVITY),  # the whole transaction took too long
    "55P03": ("store-busy", _ACTIVITY),
    "40": ("store-busy", "Ask again."),
    "57P": ("store-unreachable", _COMES_BACK),
    "08": ("store-unreachable", _COMES_BACK),
    "58": ("state-io", "Look for errors of the disk of the database server."),
    "XX": ("store-corrupt", "Look into the log of the database server."),
}
_LOGIN = (
    "store-login-refused",
    "Mend KUMA_STORE_POSTGRES_USER and its password (is it VALID UNTIL now?), or let the user in.",
)
_CLOSED = (
    "store-login-refused",
    "Let connections in (ALTER DATABASE … ALLOW_CONNECTIONS true), or name another database.",
)
_DATABASE = (
    "store-no-database",
    "Make it (CREATE DATABASE), or name another one in KUMA_STORE_POSTGRES_DB_NAME.",
)
_TLS = (
    "store-tls-refused",
    "Mend KUMA_STORE_POSTGRES_TLS_MODE and the files beside it, or the certificate of the server.",
)
# Of a refused connection libpq tells no SQLSTATE, only what the server said. Where that is in
# another language it counts as unreachable, which says the same with a remedy that fits less.
_OF_CONNECTING = {
    "authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "no pg_hba.conf entry": _LOGIN,
    "pg_hba.conf rejects": _LOGIN,
    "is not permitted to log in": _LOGIN,
    "role ": _LOGIN,
    "permission denied for database": _LOGIN,
    "is not currently accepting connections": _CLOSED,
    "cannot connect to invalid database": _DATABASE,
    "database ": _DATABASE,
    "SSL was required": _TLS,
    "certificate": _TLS,
    "private key": _TLS,
}
_MISSING = "does not exist"
_DENIED = "42501"
_TOO_MANY = "53300"
# What a server says of a connection that is one too many, and what bounds that. It may be said
# while connecting, when libpq tells no SQLSTATE.
_BOUNDS = {
    "too many connections for role": (
        "the role has a limit of its own: ALTER ROLE {user} CONNECTION LIMIT …"
    ),
    "too many connections for database": (
        "the database has a limit of its own: ALTER DATABASE {database} CONNECTION LIMIT …"
    ),
    "too many clients": "raise max_connections of the server",
    "connection slots are reserved": "raise max_connections of the server",
}
# What a connection pooler says, and no PostgreSQL. Newer ones name the parameter they do not know.
_OF_POOLERS = ("unsupported startup parameter", "pgbouncer", "query_wait_timeout")
# libpq adds it to a refused connection: the operator who reads the line is asking just that.
_ASKED_BACK = "Is the server running on that host and accepting TCP/IP connections?"
# What may pass by itself: a server that starts, fails over or is busy.
PASSING = frozenset({"store-busy", READ_ONLY, "store-timeout", "store-unreachable"})


class PooledError(psycopg.OperationalError):
    """What answered dropped the settings of the session: it stands before a server."""


def store_failure(error: psycopg.Error, address: PostgresAddress) -> StateError:
    """Why the server did not do what it was asked."""
    said = printable(" ".join(str(error).split())).replace(_ASKED_BACK, "").strip(" .")
    if isinstance(error, PooledError) or any(part in said for part in _OF_POOLERS):
        return _pooled(said, address)
    if error.sqlstate == _DENIED:
        return denied(said, address)
    if error.sqlstate == _TOO_MANY or any(part in said for part in _BOUNDS):
        return _too_many(said, address)
    if error.sqlstate is None:
        if isinstance(error, psycopg.OperationalError):
            return _not_connected(said, address)
        state = ""
    else:
        state = error.sqlstate
    for length in (5, 3, 2):
        if (meaning := _MEANINGS.get(state[:length])) is not None:
            code, hint = meaning
            return StateError(f"{address} refused: {said}", code=code, hint=hint)
    return StateError(
        f"{address} refused a change: {said}",
        code="store-failed",
        hint="This is a fault of the program; report it with the log of the server.",
    )


def _not_connected(said: str, address: PostgresAddress) -> StateError:
    for part, (code, hint) in _OF_CONNECTING.items():
        if part in said and (not part.endswith(" ") or _MISSING in said):
            return StoreRefusedError(f"{address} refused: {said}", code=code, hint=hint)
    return unreachable(said, address)


def _pooled(said: str, address: PostgresAddress) -> StateError:
    return StoreRefusedError(
        f"what answers as {address} is a connection pooler, such as PgBouncer: {said}",
        code="store-pooled",
        hint="Connect to PostgreSQL itself: set KUMA_STORE_POSTGRES_HOST and _PORT to the server "
        "behind it. Settings and notices of a session do not survive a pooler in any of its modes.",
    )


def _too_many(said: str, address: PostgresAddress) -> StateError:
    bound = next((text for part, text in _BOUNDS.items() if part in said), "raise the limit")
    user, database = printable(address.user), printable(address.database)
    return StateError(
        f"{address} refused: {said}",
        code="store-busy",
        hint=f"Too many connections; {bound.format(user=user, database=database)}. Each control "
        f"plane takes up to KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS.",
    )


def denied(said: str, address: PostgresAddress) -> StateError:
    """The role lacks a right: which one is in `said`."""
    user, database = printable(address.user), printable(address.database)
    if "for database" in said:
        hint = (
            f"Let this user make the schema: GRANT CREATE ON DATABASE {database} TO {user}; or make"
            f" it: CREATE SCHEMA {SCHEMA} AUTHORIZATION {user}."
        )
    elif "for schema" in said:
        hint = (
            f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {user}. CREATE is needed only while tables"
            " are made or migrated."
        )
    elif "must be owner" in said:
        hint = (
            "Let the role that owns the tables migrate them: kong-mesh-cp migrate up, with its name"
            " in KUMA_STORE_POSTGRES_USER."
        )
    else:
        hint = (
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {user}, as"
            " the owner of the tables."
        )
    return StoreRefusedError(f"{address} refused: {said}", code="store-denied", hint=hint)


def unreachable(said: str, address: PostgresAddress) -> StateError:
    return StateError(
        f"{address} cannot be used: {said}",
        code="store-unreachable",
        hint="See that it runs, and that KUMA_STORE_POSTGRES_HOST and its port are right; it is "
        "tried again.",
    )


def outcome_unknown(said: str, address: PostgresAddress) -> StateError:
    return StateError(
        f"the connection to {address} was lost while it was committing: {said}",
        code="store-outcome-unknown",
        hint="The change was made whole or not at all: read before trying it again.",
    )


def missing(table: str) -> StateError:
    """Every migrated store has a row there."""
    return StateError(
        f"the store in the database is damaged: its table {SCHEMA}.{table} has lost its row",
        code="store-corrupt",
        hint=f"Restore the schema {SCHEMA} from a backup.",
    )


def locked(holder: LockHolder, address: PostgresAddress) -> StateError:
    """Another session has held a lock for longer than anything here is made to wait."""
    return StateError(
        f"{address} refused: {holder}",
        code="store-busy",
        hint="Ask again; if it stays, end that session as the administrator of the database: "
        f"SELECT pg_terminate_backend({holder.pid}).",
    )


def read_only(address: PostgresAddress) -> StateError:
    code, hint = _CLOSED_TO_CHANGES
    return StateError(f"{address} takes no changes", code=code, hint=hint)


def schema_disputed(address: PostgresAddress) -> StateError:
    return StateError(
        f"in {address} others make and drop the schema {SCHEMA} all the time",
        code="store-busy",
        hint=_ACTIVITY,
    )


def unsuitable(encoding: str, address: PostgresAddress) -> StateError:
    return StateError(
        f"{address} keeps text as {printable(encoding)}, not as UTF8",
        code="state-unsuitable",
        hint="Make the database with ENCODING 'UTF8' TEMPLATE template0.",
    )
