"""A database that goes away, and one that does not take writes yet, as they are told."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kong_mesh_cp.shell.store.postgres.connections import Connection
from support.daemons.daemon import Daemon, eventually
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import variables
from support.staging.starting_daemons import found, launched

pytestmark = pytest.mark.system


def test_with_the_database_away_status_and_readiness_say_so_until_it_is_back(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with Daemon(tmp_path, environment=variables(postgres.new_database())) as daemon:
        daemon.start()
        assert daemon.diagnostics("/ready").status == 200
        assert daemon.status_text.endswith("restart safe")
        postgres.stop("immediate")
        try:
            eventually("it is not ready", lambda: daemon.diagnostics("/ready").status == 503)
            eventually(
                "systemd hears of it",
                lambda: daemon.status_text.startswith("NOT READY: store-unreachable; "),
            )
            assert daemon.status_text.endswith("restart NOT safe: store-unreachable")
            assert daemon.local("GET", "/v1/ready").status == 503
            assert daemon.diagnostics("/healthy").status == 200
            license_ = daemon.local("GET", "/v1/license").json
            assert license_["restartSafe"] is False
            assert "store-unreachable" in str(license_["restartError"])
        finally:
            postgres.start()
        eventually("it is ready again", lambda: daemon.diagnostics("/ready").status == 200)
        eventually("systemd hears of it", lambda: daemon.status_text.endswith("restart safe"))
        assert daemon.status_text.startswith("0 of 5 data plane proxies")


def test_until_the_store_takes_what_a_start_makes_nothing_is_answered(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    database = postgres.new_database()
    with Daemon(tmp_path / "first", environment=variables(database)) as first:
        first.start()
        first.stop()
        with postgres.administering("test") as administrator:
            # As on the first start, but for the schema.
            administrator.execute("TRUNCATE kong_mesh_cp.resource, kong_mesh_cp.resource_change")
            administrator.execute("SET idle_in_transaction_session_timeout = 0")
            administrator.execute("BEGIN")
            administrator.execute("LOCK TABLE kong_mesh_cp.resource IN SHARE MODE")  # no writes
            environment = variables(database, KUMA_GENERAL_WORK_DIR=str(first.state))
            with launched(tmp_path / "second", **environment) as daemon:
                eventually("it is said", lambda: "defaults-not-made: " in daemon.stderr)
                assert daemon.diagnostics("/ready").status == 503
                assert daemon.diagnostics("/healthy").status == 200
                answer = daemon.api("GET", "/meshes/default")
                assert (answer.status, answer.json["code"]) == (503, "starting")
                daemon.send_signal(signal.SIGHUP)
                eventually("it is reloaded", lambda: "(SIGHUP)" in daemon.stderr)
                assert not {"READY=1", "RELOADING=1"} & set(daemon.notifications)
                assert daemon.status_text.startswith("starting: making the default mesh and keys")

                administrator.execute("ROLLBACK")
                eventually("it is ready", lambda: daemon.diagnostics("/ready").status == 200)
                assert found(daemon) == [200, 201, 200, 200, 200]


def test_a_database_that_is_read_only_is_told_and_waited_for(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """As after a failover to a standby, or where an administrator closes it for a while."""
    database = postgres.new_database()
    environment = variables(database)
    with Daemon(tmp_path, environment=environment) as daemon, postgres.administering() as admin:
        daemon.start()
        try:
            close(admin, database.database)
            eventually("it is not ready", lambda: daemon.diagnostics("/ready").status == 503)
            eventually(
                "systemd hears of it",
                lambda: daemon.status_text.startswith("NOT READY: store-readonly; "),
            )
            assert daemon.stderr.count(" store-readonly: ") == 1
            assert daemon.api("GET", "/meshes/default").status == 200, "what is there can be read"

            daemon.stop()
            daemon.launch()
            eventually("it waits", lambda: "store-awaited: " in daemon.stderr)
            assert "take it back" in daemon.stderr
        finally:
            admin.execute(f"ALTER DATABASE {database.database} RESET ALL".encode())
        eventually("it serves", lambda: "READY=1" in daemon.notifications)


def close(administrator: Connection, database: str) -> None:
    administrator.execute(
        f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode()
    )
    administrator.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
        " WHERE datname = %s AND application_name = 'kong-mesh-cp' AND pid <> pg_backend_pid()",
        (database,),
    )
