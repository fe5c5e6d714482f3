"""Settings of control planes that share a PostgreSQL server of our own, and its sudden end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.daemons.daemon import Daemon
from support.daemons.postgres import PASSWORD, PostgresServer


@dataclass(frozen=True)
class SharedDatabase:
    """A database without anything in it."""

    server: PostgresServer
    environment: dict[str, str]

    @property
    def port(self) -> str:
        """As support.storms.resource_crashes names the store."""
        return str(self.server.port)

    def kill(self) -> None:
        """As if the power had gone, and come back."""
        self.server.stop("immediate")
        self.server.start()


@contextmanager
def shared_database(*, durable: bool = False) -> Iterator[SharedDatabase]:
    """`durable`: it waits for the disk, as it does everywhere but in tests."""
    with PostgresServer.serving() as server:
        if durable:
            with server.administering() as connection:
                connection.execute("ALTER SYSTEM SET fsync = on")
            server.stop("fast")
            server.start()
        address = server.new_database()
        yield SharedDatabase(
            server,
            {
                "KUMA_STORE_TYPE": "postgres",
                "KUMA_STORE_POSTGRES_HOST": address.host,
                "KUMA_STORE_POSTGRES_PORT": str(address.port),
                "KUMA_STORE_POSTGRES_USER": address.user,
                "KUMA_STORE_POSTGRES_PASSWORD": PASSWORD,
                "KUMA_STORE_POSTGRES_DB_NAME": address.database,
            },
        )


@contextmanager
def joining(first: Daemon, directory: Path) -> Iterator[Daemon]:
    """Another control plane on the database of `first`, with the key that its secrets need."""
    own = {"KUMA_GENERAL_WORK_DIR", "KMESH_ADMISSION_SOCKET"}
    environment = {name: value for name, value in first.environment.items() if name not in own}
    second = Daemon(directory, environment=environment)
    second.state.mkdir(parents=True, mode=0o700)
    shutil.copy2(first.state / "secret-key", second.state / "secret-key")
    with second:
        yield second.start()
