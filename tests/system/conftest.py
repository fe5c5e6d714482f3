"""A PostgreSQL of the tests' own, for control planes that share one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.daemons.postgres import PostgresServer

try:
    import psycopg  # noqa: F401 -- only to see that it finds libpq
except ImportError:
    collect_ignore = [
        "test_database_outages.py",
        "test_moving.py",
        "test_postgres.py",
        "test_strangers_in_the_database.py",
        "test_two_control_planes.py",
        "test_virtual_addresses.py",
    ]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    from support.daemons.postgres import PostgresServer

    with PostgresServer.serving() as server:
        yield server
