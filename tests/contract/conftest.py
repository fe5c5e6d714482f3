"""The implementations of a port, as parameters of its contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from support.fakes.resources import LOCAL_NAMES, ResourceOpening, local_openings

if TYPE_CHECKING:
    from support.daemons.postgres import PostgresServer

try:
    import psycopg  # noqa: F401 -- only to see that it finds libpq
except ImportError:
    # These cannot even be imported then. Why, the skipped ones beside them say.
    collect_ignore = [
        "test_full_disks.py",
        "test_postgres_faults.py",
        "test_postgres_locks.py",
        "test_postgres_notices.py",
        "test_postgres_peek.py",
        "test_postgres_rights.py",
        "test_poolers.py",
        "test_postgres_tls.py",
        "test_seat_slots.py",
        "test_shared_resources.py",
    ]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    from support.daemons.postgres import PostgresServer

    with PostgresServer.serving() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> PostgresAddress:
    return postgres.new_database()


@pytest.fixture(params=[*LOCAL_NAMES, "postgres"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> ResourceOpening:
    if request.param != "postgres":
        return local_openings(tmp_path)[request.param]
    address = request.getfixturevalue("database")
    from support.daemons.postgres import opened

    @asynccontextmanager
    async def shared() -> AsyncIterator[ResourceStore]:
        async with opened(address) as store:
            yield store.resources

    return shared
