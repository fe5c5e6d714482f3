"""A PostgreSQL server of our own: made by hand in a temporary directory, ended with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import pytest
import trio

try:
    import psycopg  # noqa: F401 -- only to see that it can be imported
except ImportError as error:
    pytest.skip(f"psycopg finds no libpq here ({error})", allow_module_level=True)

from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection, connect
from kong_mesh_cp.shell.store.postgres.store import PostgresStore, open_postgres
from support.daemons.daemon import free_port
from support.suites.patience import HANG_SECONDS

PASSWORD = "not-a-secret"
START_SECONDS_MAX = f"{HANG_SECONDS:.0f}"
UNPRIVILEGED = ("postgres", "nobody")


def binaries() -> Path:
    """Debian's folder of the newest server that is installed. Skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    return found[-1].parent


def _user() -> str:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


def as_server_user(command: list[str]) -> tuple[list[str], Callable[[Path], None]]:
    """`command` as no server refuses to be run, and what gives that user a folder and its files."""
    if os.geteuid() != 0:
        return command, lambda _: None
    user = _user()

    def own(folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user)

    group = str(pwd.getpwnam(user).pw_gid)
    return ["setpriv", f"--reuid={user}", "--regid", group, "--clear-groups", *command], own


class PostgresServer:
    """Listens on 127.0.0.1 only. Made by `serving`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "log"
        self.port = free_port()
        self._binaries = binaries()

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator[Self]:
        server = cls(Path(tempfile.mkdtemp(prefix="kong-mesh-cp-pg-")))
        try:
            server.own(server.directory)
            server._init()
            server.start()
            try:
                yield server
            finally:
                server.stop("immediate")
        finally:
            shutil.rmtree(server.directory, ignore_errors=True)

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, _user())

    def _init(self) -> None:
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        self.own(secret)
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "scram-sha-256",
            "--pwfile", str(secret), "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = ''\nmax_connections = 60\nfsync = off\n"
            )

    def start(self) -> None:
        self._run(
            "pg_ctl",
            "-D",
            str(self.data),
            "-l",
            str(self.log),
            "-w",
            "-t",
            START_SECONDS_MAX,
            "start",
        )

    def stop(self, mode: str) -> None:
        """`immediate`: as if the power had gone."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-t", START_SECONDS_MAX, "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command, _ = as_server_user([str(self._binaries / program), *arguments])
        ended = subprocess.run(
            command, cwd="/", check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert ended.returncode == 0, (ended.stdout, self.log.exists() and self.log.read_text())

    def address(self, database: str) -> PostgresAddress:
        return address_of(self.port, database)

    def new_database(self) -> PostgresAddress:
        """An empty database. It is always the same one: making one takes longer than a test."""
        with self.administering() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'test'").fetchone():
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                    " WHERE datname = 'test'"
                )
            else:
                connection.execute("CREATE DATABASE test")
        with self.administering("test") as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
        return self.address("test")

    @contextmanager
    def administering(self, database: str = "postgres") -> Iterator[Connection]:
        connection = connect(self.address(database))
        try:
            yield connection
        finally:
            connection.close()


def address_of(port: int, database: str) -> PostgresAddress:
    return PostgresAddress(
        host="127.0.0.1", port=port, user="postgres", password=PASSWORD, database=database
    )


# By version: what takes away what the step to it has made.
_STEPS_BACK = {
    4: "ALTER TABLE resource DROP COLUMN size;"
    " ALTER TABLE store DROP COLUMN dataplane_items, DROP COLUMN dataplane_bytes,"
    " DROP COLUMN other_items, DROP COLUMN other_bytes",
    3: "DROP TABLE resource_change, turn",
    2: "ALTER TABLE store DROP COLUMN secret_key_id",
}


def set_back(connection: Connection, version: int) -> None:
    """Make the store in this database one of `version`, as an older release knows it."""
    for number, step in _STEPS_BACK.items():
        if number > version:
            connection.execute(step.encode())
    connection.execute("UPDATE store_version SET version = %s", (version,))


@asynccontextmanager
async def opened(address: PostgresAddress, instance: str = "one") -> AsyncIterator[PostgresStore]:
    """A store with the tasks that it needs."""
    async with (
        trio.open_nursery() as tasks,
        open_postgres(address, instance=instance, tasks=tasks) as store,
    ):
        yield store
