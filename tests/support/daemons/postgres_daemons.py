"""Spawned daemons on one PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from support.daemons.daemon import Daemon, eventually
from support.daemons.postgres import PostgresServer


def variables(address: PostgresAddress, **others: str) -> dict[str, str]:
    """The environment of a control plane whose store is at `address`."""
    return {
        "KUMA_STORE_TYPE": "postgres",
        "KUMA_STORE_POSTGRES_HOST": address.host,
        "KUMA_STORE_POSTGRES_PORT": str(address.port),
        "KUMA_STORE_POSTGRES_USER": address.user,
        "KUMA_STORE_POSTGRES_PASSWORD": address.password,
        "KUMA_STORE_POSTGRES_DB_NAME": address.database,
        **others,
    }


def hand_over_key(one: Daemon, other: Daemon) -> None:
    """As an operator does it before the first start of the other."""
    other.state.mkdir(parents=True, exist_ok=True)
    shutil.copy(one.state / "secret-key", other.state / "secret-key")


@contextmanager
def two_daemons(
    directory: Path,
    address: PostgresAddress,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    of_each: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> Iterator[tuple[Daemon, Daemon]]:
    """Two that run, with the default mesh in both. `of_each`: what they do not have in common."""
    settings = variables(address, **(environment or {}))
    first, second = of_each
    with (
        Daemon(directory / "one", *flags, environment={**settings, **first}) as one,
        Daemon(directory / "two", *flags, environment={**settings, **second}) as two,
    ):
        one.start()
        eventually("the default mesh", lambda: one.api("GET", "/meshes/default").status == 200)
        hand_over_key(one, two)
        two.start()
        eventually("the default mesh", lambda: two.api("GET", "/meshes/default").status == 200)
        yield one, two


def let_seats_run_out(server: PostgresServer, address: PostgresAddress) -> None:
    """As if a minute had passed in which no control plane has renewed its seats."""
    with server.administering(address.database) as connection:
        connection.execute(
            "UPDATE kong_mesh_cp.seat_slot SET held_until = held_until - interval '61 seconds'"
        )
