"""Makes or migrates the store, and nothing else: a step of an upgrade, apart from a start."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.state import postgres_address, require_client
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.service_manager import ServiceEnvironment
from kong_mesh_cp.shell.store.failures import store_failure
from kong_mesh_cp.shell.store.schema import all_migrations, recognise
from kong_mesh_cp.shell.store.sqlite.state_directory import STORE_NAME, StateDirectory

if TYPE_CHECKING:
    from kong_mesh_cp.shell.store.postgres import migrating
else:
    migrating = lazy_import("kong_mesh_cp.shell.store.postgres.migrating")


@dataclass(frozen=True, slots=True)
class Migrated:
    """What came of it. Version 0: there was no store."""

    store: str
    before: int
    now: int


def migrate_store(settings: Settings, service: ServiceEnvironment) -> Migrated:
    """Bring the store of `settings` to this release's version; whole or not at all.

    Raises: ControlPlaneError.
    """
    match settings.store.type:
        case "memory":
            raise ControlPlaneError(
                "the store is in memory (KUMA_STORE_TYPE): there is nothing to migrate",
                code="nothing-to-migrate",
                hint="Name the daemon's configuration with -c, or set KUMA_STORE_TYPE as for it.",
            )
        case "postgres":
            return _in_postgres(settings, service)
        case _:
            return trio.run(  # noqa: TID251 (a command of its own; the adapter is async)
                _in_directory, settings.general.work_dir
            )


def _in_postgres(settings: Settings, service: ServiceEnvironment) -> Migrated:
    address = postgres_address(settings.store.postgres, service.credentials_directory)
    require_client()
    before, now = migrating.migrate_postgres(address)
    return Migrated(f"the store in {address}", before, now)


async def _in_directory(path: Path) -> Migrated:
    store = path / STORE_NAME
    with StateDirectory.open(path) as directory:
        before = _version(store)
        async with directory.open_store():
            pass
    return Migrated(f"the store {printable(store)}", before, all_migrations()[-1].number)


def _version(store: Path) -> int:
    if not store.exists():
        return 0
    try:
        with closing(sqlite3.connect(store)) as connection:
            return recognise(connection, printable(store), newest=all_migrations()[-1].number)
    except sqlite3.Error as error:
        raise store_failure(error, store) from error
