"""Somebody has an account on the PostgreSQL of two control planes, and nothing in their store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kong_mesh_cp.shell.store.postgres.connections import connect
from kong_mesh_cp.shell.store.postgres.feed.notices import CHANNEL
from support.daemons.daemon import Answer, Daemon, eventually
from support.daemons.postgres import PASSWORD, PostgresServer
from support.daemons.postgres_daemons import two_daemons, variables
from support.daemons.postgres_roles import LESSER, lesser_role, role
from support.staging import operations_page
from support.storms.forged_notices import FORGED
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

BATCH = 5000  # notices in one transaction
ADVISORY = "SELECT pg_advisory_lock(1263354704), pg_advisory_lock(1263358800)"  # once ours
PAGE = Path(__file__).parents[2] / "docs" / "postgresql.md"
REMOTE = {"Host": "mesh.example"}  # a request with it is not of this machine
RBAC = {
    "KUMA_ACCESS_TYPE": "rbac",
    "KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_GROUPS": "mesh-system:admin",
}


@contextmanager
def storm(postgres: PostgresServer) -> Iterator[None]:
    """Forged notices, as fast as the server takes them: one by one, and thousands at a time."""
    over = threading.Event()
    sent = [0, 0]

    def one_by_one() -> None:
        with connect(replace(postgres.address("test"), user=LESSER)) as session:
            while not over.is_set():
                for notice in FORGED:
                    session.execute("SELECT pg_notify(%s, %s)", (CHANNEL, notice))
                sent[0] += 1

    def in_batches() -> None:
        with connect(replace(postgres.address("test"), user=LESSER)) as session:
            while not over.is_set():
                session.execute(
                    "SELECT count(pg_notify(%s, (9007199254740991 - n)::text))"
                    " FROM generate_series(1, %s) AS n",
                    (CHANNEL, BATCH),
                )
                sent[1] += 1

    threads = [threading.Thread(target=each) for each in (one_by_one, in_batches)]
    for thread in threads:
        thread.start()
    try:
        eventually("the storm has begun", lambda: min(sent) > 1)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert min(sent) > 2


def send(
    daemon: Daemon,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    given = {} if body is None else {"Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    return daemon.api(method, path, {**given, **(headers or {})}, content)


def token_of(daemon: Daemon, name: str, group: str) -> dict[str, str]:
    asked = {"name": name, "groups": [group], "validFor": "1h"}
    answer = send(daemon, "POST", "/tokens/user", asked)
    assert answer.status == 200, answer.body
    return {**REMOTE, "Authorization": f"Bearer {answer.body.decode()}"}


def give_role(daemon: Daemon) -> None:
    rules = [{"access": ["CREATE", "UPDATE"], "types": ["Mesh"]}]
    made = {"type": "AccessRole", "name": "makers", "rules": rules}
    assert send(daemon, "PUT", "/access-roles/makers", made).status == 201
    subjects = [{"type": "Group", "name": "team"}]
    bound = {
        "type": "AccessRoleBinding",
        "name": "makers",
        "subjects": subjects,
        "roles": ["makers"],
    }
    assert send(daemon, "PUT", "/access-role-bindings/makers", bound).status == 201


def put_mesh(daemon: Daemon, headers: dict[str, str]) -> Answer:
    body = {"type": "Mesh", "name": "made", "skipCreatingInitialPolicies": ["*"]}
    return send(daemon, "PUT", "/meshes/made", body, headers)


def test_under_a_storm_of_forged_notices_none_ends_and_who_lost_a_role_loses_it_everywhere(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    address = postgres.new_database()
    with (
        two_daemons(tmp_path, address, environment=RBAC) as (one, two),
        lesser_role(postgres),
    ):
        eve = token_of(one, "eve", "team")
        with storm(postgres):
            give_role(one)
            eventually("eve may on the other", lambda: put_mesh(two, eve).status in {200, 201})
            assert send(one, "DELETE", "/access-role-bindings/makers").status == 200
            assert put_mesh(one, eve).status == 403
            # She goes on writing all the while, as whoever wants to keep a role would.
            eventually("eve may no more", lambda: put_mesh(two, eve).status == 403)
        for daemon in (one, two):
            assert daemon.diagnostics("/ready").status == 200
            assert "Traceback" not in daemon.stderr
            assert daemon.stderr.count("store-notice-strange: ") == 1
            assert daemon.stop() == 0


def test_who_listens_hears_no_names(tmp_path: Path, postgres: PostgresServer) -> None:
    with (
        two_daemons(tmp_path, postgres.new_database()) as (one, two),
        lesser_role(postgres) as stranger,
    ):
        stranger.execute(f"LISTEN {CHANNEL}".encode())
        secret = {"type": "GlobalSecret", "name": "payroll-db-key", "data": "dmFsdWU="}
        for daemon in (one, two):
            path = "/global-secrets/payroll-db-key"
            assert send(daemon, "PUT", path, secret).status in {200, 201}
            assert send(daemon, "DELETE", path).status == 200
        heard = [each.payload for each in stranger.notifies(timeout=HANG_SECONDS, stop_after=4)]
    assert len(heard) == 4
    assert all(each.isascii() and each.isdigit() for each in heard)


def test_advisory_locks_of_a_stranger_stop_neither_starts_nor_admissions(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    address = postgres.new_database()
    with lesser_role(postgres) as stranger:
        stranger.execute(ADVISORY)
        with two_daemons(tmp_path, address) as (one, two):
            for number, daemon in enumerate((one, two)):
                with daemon.seat(f"p{number}") as seat:
                    assert seat.admitted, seat.first


def test_the_commands_of_the_page_keep_strangers_out_and_the_daemon_content(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    import psycopg

    _, _, commands = operations_page.script("postgres-database", PAGE).partition("<<'END'\n")
    commands = commands.partition("\nEND\n")[0].replace("choose-another-password", PASSWORD)
    setting_up, connecting, inside = commands.partition("\\connect kong_mesh\n")
    assert connecting
    with postgres.administering() as administrator:
        for command in filter(str.strip, setting_up.split(";")):
            administrator.execute(command.encode())
    try:
        with postgres.administering("kong_mesh") as administrator:
            administrator.execute(inside.encode())
        own = replace(postgres.address("kong_mesh"), user="kong_mesh")
        with role(postgres, LESSER):
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                connect(replace(own, user=LESSER))
            with Daemon(tmp_path / "d", environment=variables(own)) as daemon:
                daemon.start()
                assert "store-connect-public" not in daemon.stderr
                assert "store-schema-shared" not in daemon.stderr
                with daemon.seat("a") as seat:
                    assert seat.admitted
    finally:
        with postgres.administering() as administrator:
            administrator.execute("DROP DATABASE kong_mesh WITH (FORCE)")
            administrator.execute("DROP ROLE kong_mesh")
