"""A daemon whose store is a PostgreSQL: its starts, its refusals, and a server that goes away."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import EX_CANTCREAT, EX_CONFIG
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.schema import all_migrations
from support.daemons.daemon import Daemon, eventually
from support.daemons.postgres import PASSWORD, PostgresServer
from support.daemons.postgres_daemons import hand_over_key, variables
from support.licenses.licenses import keyring_json, license_document

NEWEST = all_migrations()[-1].number

pytestmark = pytest.mark.system

CANARY = "canary-9f3b1c77"  # the password where it must not show


@pytest.fixture
def database(postgres: PostgresServer) -> PostgresAddress:
    return postgres.new_database()


@pytest.fixture
def daemon(tmp_path: Path, database: PostgresAddress) -> Iterator[Daemon]:
    with Daemon(tmp_path / "d", environment=variables(database)) as daemon:
        yield daemon


def joined(daemon: Daemon) -> bool:
    with daemon.seat("b") as seat:
        return seat.admitted


def has_schema(postgres: PostgresServer) -> bool:
    with postgres.administering("test") as connection:
        found = connection.execute("SELECT to_regclass('kong_mesh_cp.store') IS NOT NULL")
        return found.fetchone() == (True,)


def command(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    """A command with the environment of the daemon."""
    return subprocess.run(
        [sys.executable, "-m", "kong_mesh_cp", *words],
        env=daemon.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_state_and_instance_outlive_a_restart(daemon: Daemon) -> None:
    daemon.start()
    eventually("the default mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
    cluster = daemon.api("GET", "/").json["clusterId"]
    with daemon.seat("a") as seat:
        assert seat.admitted
        daemon.stop()
    (first,) = re.findall(r"as the control plane (\w+)", daemon.stderr)
    assert not (daemon.state / "store.db").exists()
    daemon.start()
    assert daemon.api("GET", "/").json["clusterId"] == cluster
    assert daemon.stderr.count(f"as the control plane {first}") == 2
    assert "seats-reserved: seats kept for their proxies: 1" in daemon.stderr
    assert daemon.stderr.count("license-trial-started") == 1


def test_a_refused_license_makes_nothing_in_the_database(
    daemon: Daemon, postgres: PostgresServer
) -> None:
    daemon.environment["KMESH_LICENSE_INLINE"] = "{}x"
    assert daemon.launch().exit_status() == EX_CONFIG
    assert not has_schema(postgres)
    assert not daemon.state.exists()


def test_the_clock_that_the_database_remembers_checks_a_license(
    daemon: Daemon, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Wherever the copies beside it are lost: a clock that was set back revives no license."""
    keyring = tmp_path / "keyring.json"
    keyring.write_bytes(keyring_json())
    daemon.flags = ("--license-keyring", os.fspath(keyring))
    end = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    daemon.environment["KMESH_LICENSE_INLINE"] = license_document(expires=end).decode()
    daemon.start()
    eventually("the clock's mark", (daemon.state / "clock.json").exists)
    daemon.stop()
    with postgres.administering("test") as connection:
        connection.execute(
            "UPDATE kong_mesh_cp.clock_mark SET seen = now() + interval '60 days', boot_id = 'x'"
        )
    (daemon.state / "clock.json").unlink()
    assert daemon.launch().exit_status() == EX_CONFIG
    assert "license-expired" in daemon.stderr.splitlines()[-1]
    assert command(daemon, "license", "check-restart", "--offline").returncode == 1

    reset = command(daemon, "license", "reset-clock", "--reason", "NTP was off")
    assert reset.returncode == 0, reset.stderr
    daemon.start()


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"password": CANARY}, EX_CONFIG, "store-login-refused"),
        ({"user": "nobody-known"}, EX_CONFIG, "store-login-refused"),
        ({"database": "nowhere"}, EX_CONFIG, "store-no-database"),
        ({"port": 1}, EX_CANTCREAT, "store-unreachable"),
        ({"host": "host.invalid"}, EX_CANTCREAT, "store-unreachable"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_a_database_that_cannot_be_used_ends_the_start_with_one_line(
    tmp_path: Path, database: PostgresAddress, wrong: dict[str, str], status: int, code: str
) -> None:
    address = replace(database, **wrong)  # type: ignore[arg-type]
    environment = variables(address, KMESH_STORE_POSTGRES_WAIT_SECONDS="0")
    with Daemon(tmp_path / "d", environment=environment) as daemon:
        assert daemon.launch().exit_status() == status
        (line,) = daemon.stderr.splitlines()
        assert line.startswith(f"kong-mesh-cp: {code}: PostgreSQL at {address.host}:{address.port}")
        assert f"database {address.database}" in line
        assert CANARY not in line
        assert not daemon.state.exists()


def test_a_start_waits_for_a_server_that_is_not_there_yet(
    daemon: Daemon, postgres: PostgresServer
) -> None:
    postgres.stop("fast")
    try:
        daemon.launch()
        eventually("it says what it waits for", lambda: "store-awaited: " in daemon.stderr)
        eventually("systemd is told", lambda: "waiting for the store" in daemon.status_text)
        assert not daemon.state.exists()
    finally:
        postgres.start()
    eventually("it serves", lambda: "READY=1" in daemon.notifications)


def test_a_start_that_waits_can_be_stopped(daemon: Daemon) -> None:
    daemon.environment["KUMA_STORE_POSTGRES_PORT"] = "1"
    daemon.launch()
    eventually("it says what it waits for", lambda: "store-awaited: " in daemon.stderr)
    assert daemon.stop() == -signal.SIGTERM


def test_a_server_that_goes_away_is_missed_and_used_again(
    daemon: Daemon, postgres: PostgresServer
) -> None:
    daemon.start()
    eventually("the default mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
    seat = daemon.seat("a")
    assert seat.admitted
    postgres.stop("immediate")
    try:
        eventually("the API fails", lambda: daemon.api("GET", "/meshes/default").status == 500)
        refused = daemon.seat("b")
        assert (refused.status, refused.first["code"]) == (503, "busy")
        assert daemon.api("GET", "/license").json["activeDataplaneProxies"] == 1
        assert daemon.diagnostics("/ready").status == 200
    finally:
        postgres.start()
    eventually("the API answers", lambda: daemon.api("GET", "/meshes/default").status == 200)
    eventually("seats are given again", lambda: joined(daemon))
    seat.leave()
    assert daemon.stop() == 0


def test_a_second_one_with_no_key_or_another_is_refused_before_anything_is_changed(
    daemon: Daemon, tmp_path: Path, database: PostgresAddress
) -> None:
    daemon.start()
    with Daemon(tmp_path / "two", environment=variables(database)) as two:
        assert two.launch().exit_status() == EX_CONFIG
        assert two.stderr.startswith("kong-mesh-cp: secret-key-missing: ")
        assert not two.state.exists()

        hand_over_key(daemon, two)
        key = two.state / "secret-key"
        right = key.read_bytes()
        key.write_bytes(right[1:2] + right[:1] + right[2:])
        assert two.launch().exit_status() == EX_CONFIG
        assert "secret-key-mismatch: " in two.stderr
        assert [file.name for file in two.state.iterdir()] == ["secret-key"]

        key.unlink()
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        (credentials / "secret-key").write_bytes(right)
        two.environment["CREDENTIALS_DIRECTORY"] = os.fspath(credentials)
        two.start()
        assert not key.exists()


def test_the_password_shows_nowhere(
    tmp_path: Path, database: PostgresAddress, postgres: PostgresServer
) -> None:
    with postgres.administering() as connection:
        connection.execute("DROP ROLE IF EXISTS canary")
        connection.execute(f"CREATE ROLE canary SUPERUSER LOGIN PASSWORD '{CANARY}'".encode())
    environment = variables(replace(database, user="canary", password=CANARY))
    with Daemon(tmp_path / "d", "--log-level", "debug", environment=environment) as daemon:
        daemon.start()
        eventually("the default mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
        postgres.stop("immediate")
        postgres.start()
        eventually("it was missed", lambda: "store-heard-again" in daemon.stderr)
        config = daemon.api("GET", "/config")
        assert config.json["store"]["postgres"]["password"] == "*****"  # type: ignore[index]
        shown = [
            config.body,
            daemon.stderr.encode(),
            "\n".join(daemon.notifications).encode(),
            Path(f"/proc/{daemon.pid}/cmdline").read_bytes(),
            Path(f"/proc/{daemon.pid}/environ").read_bytes(),
            *(file.read_bytes() for file in daemon.state.iterdir()),
        ]
        assert not any(CANARY.encode() in one for one in shown)
        told = command(daemon, "config", "show")
        assert "password is set and not shown" in told.stdout
        assert CANARY not in told.stdout + told.stderr


@pytest.mark.parametrize("way", ["file", "credential"])
def test_the_password_may_come_from_a_file_or_a_credential(daemon: Daemon, way: str) -> None:
    del daemon.environment["KUMA_STORE_POSTGRES_PASSWORD"]
    folder = daemon.directory / "credentials"
    folder.mkdir(parents=True)
    (folder / "postgres-password").write_text(f"{PASSWORD}\n")
    (folder / "postgres-password").chmod(0o644)
    if way == "file":
        path = os.fspath(folder / "postgres-password")
        daemon.environment["KMESH_STORE_POSTGRES_PASSWORD_FILE"] = path
    else:
        daemon.environment["CREDENTIALS_DIRECTORY"] = os.fspath(folder)
    daemon.start()
    # systemd sees to who reads a credential.
    assert ("store-password-exposed: " in daemon.stderr) == (way == "file")
    assert PASSWORD not in daemon.stderr


def test_a_password_file_that_is_not_there_is_named(daemon: Daemon) -> None:
    del daemon.environment["KUMA_STORE_POSTGRES_PASSWORD"]
    daemon.environment["KMESH_STORE_POSTGRES_PASSWORD_FILE"] = "/nonexistent/password"
    assert daemon.launch().exit_status() == EX_CONFIG
    assert "store-password-file: the password of PostgreSQL in /nonexistent/p" in daemon.stderr


def test_migrations_can_be_made_apart_from_a_start(
    daemon: Daemon, database: PostgresAddress, postgres: PostgresServer
) -> None:
    made = command(daemon, "migrate", "up")
    assert made.stdout == f"the store in {database} was made (version {NEWEST})\n", made.stderr
    again = command(daemon, "migrate", "up")
    assert again.stdout == f"the store in {database} is current (version {NEWEST})\n"
    assert not daemon.state.exists()
    assert command(daemon, "license", "check-restart", "--offline").returncode == 0
    assert not daemon.state.exists()
    daemon.start()
    with postgres.administering("test") as connection:
        connection.execute("UPDATE kong_mesh_cp.store_version SET version = 99")
    for words in (("migrate", "up"), ("license", "check-restart", "--offline")):
        newer = command(daemon, *words)
        assert newer.returncode
        assert "store-newer: " in newer.stdout + newer.stderr


def test_a_machine_without_libpq_is_advised_what_to_install(daemon: Daemon, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "psycopg"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(
        "raise ImportError('no pq wrapper available: libpq library not found')\n"
    )
    daemon.environment["PYTHONPATH"] = os.fspath(hidden.parent)
    assert daemon.launch().exit_status() == EX_CONFIG
    assert daemon.stderr.startswith("kong-mesh-cp: store-client-missing: ")
    assert "libpq5" in daemon.stderr
