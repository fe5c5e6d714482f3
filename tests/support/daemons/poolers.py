"""A PgBouncer of our own before a PostgreSQL server of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from support.daemons.daemon import STOP_SECONDS_MAX, eventually, free_port
from support.daemons.postgres import as_server_user

ANSWER = "process up"  # in its log, when it listens


def pgbouncer() -> str:
    """Skips where there is none."""
    found = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        pytest.skip("no PgBouncer here: apt-get install pgbouncer")
    return found


@contextmanager
def pooled(server: PostgresAddress, mode: str, *settings: str) -> Iterator[PostgresAddress]:
    """The address of a PgBouncer in `mode` that stands before `server`. `settings` are lines."""
    program, port = pgbouncer(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="kong-mesh-cp-pooler-"))
    try:
        (folder / "users").write_text(f'"{server.user}" "{server.password}"\n')
        lines = (
            "[databases]",
            f"* = host={server.host} port={server.port}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = plain",
            f"auth_file = {folder}/users",
            f"pool_mode = {mode}",
            *settings,
        )
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        command, own = as_server_user([program, str(folder / "pgbouncer.ini")])
        own(folder)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            eventually("it listens", lambda: ANSWER in (folder / "log").read_text())
            yield replace(server, port=port)
        finally:
            process.kill()
            process.wait(STOP_SECONDS_MAX)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
