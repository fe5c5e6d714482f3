"""From what the server or the way to it reports to an error that an operator can act on."""

from __future__ import annotations

import psycopg

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.host.shown import shown
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress

_ACTIVITY = "See what the server is busy with: SELECT * FROM pg_stat_activity."
_COMES_BACK = "It comes back by itself when the server does."
# By SQLSTATE, from the one that says most to its class of two letters.
_MEANINGS = {
    "53100": ("state-full", "Make room on the disk of the database server."),
    "53300": ("store-busy", "Raise max_connections of the server."),
    "57014": ("store-timeout", _ACTIVITY),
    "25006": ("store-readonly", "That is a standby: set KUMA_STORE_POSTGRES_HOST to the primary."),
    "42501": ("store-denied", "Let this user make a schema: GRANT CREATE ON DATABASE."),
    "55P03": ("store-busy", _ACTIVITY),
    "40": ("store-busy", "Ask again."),
    "57P": ("store-unreachable", _COMES_BACK),
    "08": ("store-unreachable", _COMES_BACK),
    "58": ("state-io", "Look for errors of the disk of the database server."),
    "XX": ("store-corrupt", "Look into the log of the database server."),
}


def store_failure(error: psycopg.Error, address: PostgresAddress) -> StateError:
    """Why the server did not do what it was asked."""
    said = shown(" ".join(str(error).split()))
    if error.sqlstate is None:
        if isinstance(error, psycopg.OperationalError):
            return unreachable(said, address)
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


def unreachable(said: str, address: PostgresAddress) -> StateError:
    return StateError(
        f"{address} cannot be used: {said}",
        code="store-unreachable",
        hint="See that it runs and that KUMA_STORE_POSTGRES_* are right; it is tried again.",
    )


def outcome_unknown(said: str, address: PostgresAddress) -> StateError:
    return StateError(
        f"the connection to {address} was lost while it was committing: {said}",
        code="store-outcome-unknown",
        hint="The change was made whole or not at all: read before trying it again.",
    )


def unsuitable(encoding: str, address: PostgresAddress) -> StateError:
    return StateError(
        f"{address} keeps text as {shown(encoding)}, not as UTF8",
        code="state-unsuitable",
        hint="Make the database with ENCODING 'UTF8' TEMPLATE template0.",
    )
