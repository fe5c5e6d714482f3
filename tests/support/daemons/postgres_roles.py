"""Accounts on the server that are not the control plane's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kong_mesh_cp.shell.store.postgres.connections import Connection, connect
from support.daemons.postgres import PASSWORD, PostgresServer

LESSER = "lesser"  # may do what everybody may


@contextmanager
def role(server: PostgresServer, name: str) -> Iterator[str]:
    """One that may log in; gone afterwards, with all it has made and been given in `test`."""
    with server.administering("test") as administrator:
        administrator.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'".encode())
    try:
        yield name
    finally:
        with server.administering("test") as administrator:
            administrator.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = %s",
                (name,),
            )
            administrator.execute(f"DROP OWNED BY {name} CASCADE".encode())
            administrator.execute(f"DROP ROLE {name}".encode())


@contextmanager
def lesser_role(server: PostgresServer) -> Iterator[Connection]:
    """A session of somebody who has an account on the server, and no rights in the store."""
    with role(server, LESSER):
        connection = connect(replace(server.address("test"), user=LESSER))
        try:
            yield connection
        finally:
            connection.close()
