"""Ways to get PostgreSQL wrong, as docs/operations.md calls them."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace

from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.migrating import migrate_postgres
from support.daemons.daemon import Daemon, eventually, free_port
from support.daemons.poolers import pooled
from support.daemons.postgres import set_back
from support.daemons.postgres_daemons import variables
from support.daemons.postgres_roles import LESSER, role
from support.staging.staging import INSTANT, NOW_SHOWN, STARTING, Said, Scenarios, Stage

POSTGRES = Scenarios()
HOST_SHOWN = "db.example.com"
GONE = (
    f'cannot be used: connection failed: connection to server at "{HOST_SHOWN}", port 5432 failed: '
    "Connection refused"
)


def _nowhere() -> PostgresAddress:
    return PostgresAddress(
        host="127.0.0.1", port=1, user="kong_mesh", password="not-a-secret", database="kong_mesh"
    )


def _set(stage: Stage, address: PostgresAddress, **others: str) -> None:
    stage.set(**variables(address, KMESH_STORE_POSTGRES_WAIT_SECONDS="0", **others))
    stage.show(f"{address.host}:{address.port}", f"{HOST_SHOWN}:5432")
    stage.show(f'"{address.host}", port {address.port}', f'"{HOST_SHOWN}", port 5432')
    stage.show(f"database {address.database}", "database kong_mesh")
    stage.show(f'user "{address.user}"', 'user "kong_mesh"')


def _set_served(stage: Stage, **others: str) -> None:
    _set(stage, stage.postgres().new_database(), **others)


@POSTGRES.called("A PostgreSQL that does not answer at the start")
def _(stage: Stage) -> Said:
    _set(stage, _nowhere())
    return stage.is_refused()


@POSTGRES.called("A PostgreSQL that is waited for at the start")
def _(stage: Stage) -> Said:
    server = stage.postgres()
    _set_served(stage)
    stage.set(KMESH_STORE_POSTGRES_WAIT_SECONDS="60")
    server.stop("fast")
    try:
        stage.daemon.launch()
        eventually("it waits", lambda: "store-awaited: " in stage.daemon.stderr)
    finally:
        server.start()
    eventually("it serves", lambda: "READY=1" in stage.daemon.notifications)
    stage.daemon.addresses["diagnostics"] = _diagnostics(stage.daemon)
    return stage.says("store-awaited")


def _diagnostics(daemon: Daemon) -> str:
    return daemon.stderr.rpartition("diagnostics ")[2].split()[0]


@POSTGRES.called("A wrong password")
def _(stage: Stage) -> Said:
    _set_served(stage, KUMA_STORE_POSTGRES_PASSWORD="wrong")
    return stage.is_refused()


@POSTGRES.called("A database that nobody has made")
def _(stage: Stage) -> Said:
    _set_served(stage, KUMA_STORE_POSTGRES_DB_NAME="nowhere")
    stage.show("database nowhere", "database kong_mesh")
    stage.show('"nowhere"', '"kong_mesh"')
    return stage.is_refused()


@POSTGRES.called("A file with the password that is not there")
def _(stage: Stage) -> Said:
    _set(stage, _nowhere())
    del stage.daemon.environment["KUMA_STORE_POSTGRES_PASSWORD"]
    stage.set(KMESH_STORE_POSTGRES_PASSWORD_FILE=os.fspath(stage.etc / "postgres-password"))
    return stage.is_refused()


@POSTGRES.called("A machine without libpq")
def _(stage: Stage) -> Said:
    hidden = stage.directory / "hidden" / "psycopg"
    hidden.mkdir(parents=True)
    text = "raise ImportError('no pq wrapper available: libpq library not found')\n"
    (hidden / "__init__.py").write_text(text)
    _set(stage, _nowhere(), PYTHONPATH=os.fspath(hidden.parent))
    return stage.is_refused()


def _first_control_plane(stage: Stage) -> Daemon:
    _set_served(stage)
    environment = {
        name: value for name, value in stage.daemon.environment.items() if "POSTGRES" in name
    }
    environment["KUMA_STORE_TYPE"] = "postgres"
    first = Daemon(stage.directory / "first", environment=environment)
    stage.open.enter_context(first).start()
    with stage.postgres().administering("test") as connection:
        row = connection.execute("SELECT secret_key_id FROM kong_mesh_cp.store").fetchone()
    assert row is not None
    stage.show(row[0], "a77512f565bd45ef")
    return first


@POSTGRES.called("A second control plane without the key of the first")
def _(stage: Stage) -> Said:
    _first_control_plane(stage)
    return stage.is_refused()


@POSTGRES.called("A second control plane with a key of its own")
def _(stage: Stage) -> Said:
    _first_control_plane(stage)
    stage.daemon.state.mkdir(parents=True)
    key = stage.daemon.state / "secret-key"
    key.write_text(f"{'A' * 43}=\n")
    key.chmod(0o600)
    return stage.is_refused()


@POSTGRES.called("A database of a newer release")
def _(stage: Stage) -> Said:
    _first_control_plane(stage)
    with stage.postgres().administering("test") as connection:
        connection.execute("UPDATE kong_mesh_cp.store_version SET version = 99")
    return stage.is_refused()


@POSTGRES.called("A connection pooler in place of the server")
def _(stage: Stage) -> Said:
    ignoring = "ignore_startup_parameters = options"
    before = pooled(stage.postgres().new_database(), "transaction", ignoring)
    _set(stage, stage.open.enter_context(before))
    return stage.is_refused()


@POSTGRES.called("A role that may not use all tables")
def _(stage: Stage) -> Said:
    server = stage.postgres()
    address = server.new_database()
    migrate_postgres(address)
    stage.open.enter_context(role(server, LESSER))
    with server.administering(address.database) as administrator:
        for grant in (
            f"GRANT USAGE ON SCHEMA {SCHEMA} TO {LESSER}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {LESSER}",
            f"REVOKE INSERT, UPDATE ON {SCHEMA}.resource FROM {LESSER}",
        ):
            administrator.execute(grant.encode())
    _set(stage, replace(address, user=LESSER))
    stage.show(f"TO {LESSER}", "TO kong_mesh")
    return stage.is_refused()


@POSTGRES.called("A role that has all the connections that it may have")
def _(stage: Stage) -> Said:
    server = stage.postgres()
    address = server.new_database()
    stage.open.enter_context(role(server, LESSER))
    with server.administering() as administrator:
        administrator.execute(f"ALTER ROLE {LESSER} CONNECTION LIMIT 0".encode())
    _set(stage, replace(address, user=LESSER))
    stage.show(f'role "{LESSER}"', 'role "kong_mesh"')
    stage.show(f"ROLE {LESSER} ", "ROLE kong_mesh ")
    return stage.is_refused()


@POSTGRES.called("A first start whose database takes no changes yet")
def _(stage: Stage) -> Said:
    first = _first_control_plane(stage)
    first.stop()
    shutil.copytree(first.state, stage.daemon.state)
    port = free_port()
    stage.set(KUMA_DIAGNOSTICS_SERVER_PORT=str(port))
    stage.daemon.addresses["diagnostics"] = f"http://127.0.0.1:{port}"
    with stage.postgres().administering("test") as connection:
        connection.execute("TRUNCATE resource, resource_change")
        connection.execute("SET application_name = 'psql'")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE resource IN SHARE MODE")
        stage.show(f"{connection.info.backend_pid}", "4711")
        stage.show("user postgres", "user dba")
        stage.daemon.launch()
        said = stage.says("defaults-not-made", ready=False, why=STARTING)
        return said.at(f"since ({INSTANT})", NOW_SHOWN)


@POSTGRES.called("A database that everybody on the server may connect to")
def _(stage: Stage) -> Said:
    _set_served(stage)
    stage.show("DATABASE test", "DATABASE kong_mesh")
    stage.start()
    return stage.says("store-connect-public")


@POSTGRES.called("A schema that others may use")
def _(stage: Stage) -> Said:
    _first_control_plane(stage).stop()
    with stage.postgres().administering("test") as connection:
        connection.execute("DROP ROLE IF EXISTS reporting")
        connection.execute("CREATE ROLE reporting LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO reporting".encode())
    try:
        shutil.copytree(stage.directory / "first" / "state", stage.daemon.state)
        stage.start()
        return stage.says("store-schema-shared")
    finally:
        with stage.postgres().administering("test") as connection:
            connection.execute("DROP OWNED BY reporting")
            connection.execute("DROP ROLE reporting")


@POSTGRES.called("A lock of the store that another session keeps")
def _(stage: Stage) -> Said:
    _first_control_plane(stage).stop()
    with stage.postgres().administering("test") as connection:
        set_back(connection, 1)
        connection.execute("SET application_name = 'psql'")
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE store_version")
        connection.execute("LOCK TABLE store IN EXCLUSIVE MODE")
        stage.show(f"{connection.info.backend_pid}", "4711")
        stage.show("user postgres", "user dba")
        return stage.is_refused().at(f"since ({INSTANT})", NOW_SHOWN)


@POSTGRES.called("A row of the store that no release has written")
def _(stage: Stage) -> Said:
    _set_served(stage)
    daemon = stage.start()
    with stage.postgres().administering("test") as connection:
        connection.execute(
            "INSERT INTO resource (type, mesh, name, version, spec, labels, created_at, modified_at)"
            " VALUES ('MeshTimeout', 'default', 'slow', 1, 'nonsense', '{}', now(), now())"
        )
    path = "/meshes/default/meshtimeouts"
    eventually("the mesh is made", lambda: daemon.api("GET", path).status == 200)
    return stage.says("store-row-unsound")


@POSTGRES.called("A PostgreSQL that goes away while the daemon runs")
def _(stage: Stage) -> Said:
    server = stage.postgres()
    _set_served(stage)
    stage.start()
    server.stop("fast")
    try:
        code = "seats-not-shared"
        eventually(code, lambda: code in stage.daemon.stderr)
        # A server that is going says it in its own way, one that has gone cannot.
        (cause,) = re.findall(r"database \w+ (.*); who has a seat keeps it", stage.daemon.stderr)
        stage.show(cause, GONE)
        not_ready = lambda: stage.daemon.diagnostics("/ready").status == 503  # noqa: E731
        eventually("it is not ready", not_ready)
        return stage.says(code, ready=False, why="store-unreachable")
    finally:
        server.start()
