"""Two control planes on one PostgreSQL: what one writes the other shows, and one limit for both."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kong_mesh_cp.shell.store.postgres.connections import Connection
from support.daemons.daemon import Answer, Daemon, Seat, eventually
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import let_seats_run_out, two_daemons

pytestmark = pytest.mark.system

LIMIT = 5  # of the pre-bundled license


def put(daemon: Daemon, path: str, document: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    return daemon.api("PUT", path, headers, json.dumps(document).encode())


def mesh(name: str, **spec: Any) -> dict[str, Any]:
    return {"type": "Mesh", "name": name, **spec}


def seated(seats: list[Seat]) -> int:
    return sum(seat.admitted for seat in seats)


def leave(seats: list[Seat]) -> None:
    for seat in seats:
        seat.leave()


def test_what_one_writes_the_other_shows_and_admits_to(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with two_daemons(tmp_path, postgres.new_database()) as (one, two):
        assert put(one, "/meshes/m", mesh("m")).status == 201
        assert two.api("GET", "/meshes/m").status == 200
        assert one.api("GET", "/").json["clusterId"] == two.api("GET", "/").json["clusterId"]
        eventually("the feed tells the other", lambda: joined(two, "m"))
        assert two.api("DELETE", "/meshes/m").status == 200
        assert one.api("GET", "/meshes/m").status == 404


def joined(daemon: Daemon, mesh_name: str) -> bool:
    with daemon.seat("a", mesh=mesh_name) as seat:
        return seat.admitted


def test_a_proxy_that_moves_is_registered_and_removed_by_the_other(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    inbound = {"port": 80, "tags": {"kuma.io/service": "backend"}}
    networking = {"address": "127.0.0.1", "inbound": [inbound]}
    dataplane = {"type": "Dataplane", "mesh": "default", "name": "a", "networking": networking}
    with two_daemons(tmp_path, postgres.new_database()) as (one, two):
        eventually("the mesh", lambda: two.api("GET", "/meshes/default").status == 200)
        lost = Seat.ask(one.socket, {"dataplane": dataplane})
        assert lost.admitted
        eventually("it is online", lambda: online(two, "a") == [True])
        one.stop(signal.SIGKILL)
        lost.leave()
        with Seat.ask(two.socket, {"dataplane": dataplane}) as moved:
            assert moved.admitted
            assert "token" in moved.first
            one.start()
            eventually("it has moved", lambda: online(one, "a") == [False, True])
        path = "/meshes/default/dataplanes/a"
        eventually("it is gone", lambda: one.api("GET", path).status == 404)


def online(daemon: Daemon, name: str) -> list[bool]:
    """Whether each subscription is open, oldest first."""
    overview: Any = daemon.api("GET", f"/meshes/default/dataplanes/{name}/_overview").json
    listed = overview.get("dataplaneInsight", {}).get("subscriptions", [])
    return ["disconnectTime" not in each for each in listed]


def test_secrets_of_one_are_read_by_the_other(tmp_path: Path, postgres: PostgresServer) -> None:
    with two_daemons(tmp_path, postgres.new_database()) as (one, two):
        secret = {"type": "Secret", "mesh": "default", "name": "s", "data": "dmFsdWU="}
        assert put(one, "/meshes/default/secrets/s", secret).status == 201
        assert two.api("GET", "/meshes/default/secrets/s").json["data"] == "dmFsdWU="
        with postgres.administering("test") as connection:
            rows = connection.execute("SELECT spec FROM kong_mesh_cp.resource").fetchall()
        assert rows
        assert not any("dmFsdWU=" in spec for (spec,) in rows)


def test_nothing_that_was_acknowledged_is_overwritten_unseen(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Each write that was acknowledged is a version of its own on top of one it has seen."""
    writers, rounds = 6, 15
    path = "/meshes/default/dataplanes/d"
    with two_daemons(tmp_path, postgres.new_database()) as both:
        assert put(both[0], path, dataplane("first")).status == 201

        def write(writer: int) -> list[int]:
            return [
                put(both[writer % 2], path, dataplane(f"w{writer}.{number}")).status
                for number in range(rounds)
            ]

        with ThreadPoolExecutor(writers) as pool:
            statuses = [status for each in pool.map(write, range(writers)) for status in each]
        with postgres.administering("test") as connection:
            row = connection.execute(
                "SELECT version FROM kong_mesh_cp.resource WHERE type = 'Dataplane'"
            ).fetchone()
    assert set(statuses) <= {200, 409}
    assert row == (1 + statuses.count(200),)


@pytest.mark.parametrize("there", [False, True], ids=["made", "changed"])
def test_of_two_that_write_what_both_have_read_one_comes_after_the_other(
    tmp_path: Path, postgres: PostgresServer, there: bool
) -> None:
    path = "/meshes/default/dataplanes/d"
    with two_daemons(tmp_path, postgres.new_database()) as both:
        if there:
            assert put(both[0], path, dataplane("first")).status == 201
        with postgres.administering("test") as connection, ThreadPoolExecutor(2) as pool:
            connection.execute("BEGIN")
            connection.execute("SELECT revision FROM kong_mesh_cp.store FOR UPDATE")
            answers = [
                pool.submit(put, each, path, dataplane(each.state.parent.name)) for each in both
            ]
            with postgres.administering() as watching:
                eventually("both have read and wait for their turn", lambda: waiting(watching) == 2)
            connection.execute("ROLLBACK")
            statuses = sorted(answer.result().status for answer in answers)
            assert statuses == [200, 200 if there else 201]
            row = connection.execute(
                "SELECT version FROM kong_mesh_cp.resource WHERE type = 'Dataplane'"
            ).fetchone()
            assert row == (3 if there else 2,), "each is a version of its own"


def waiting(connection: Connection) -> int:
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'test' AND wait_event_type = 'Lock'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def dataplane(version: str) -> dict[str, Any]:
    inbound = {"port": 80, "tags": {"kuma.io/service": "s", "version": version}}
    return {
        "type": "Dataplane",
        "mesh": "default",
        "name": "d",
        "networking": {"address": "10.0.0.1", "inbound": [inbound]},
    }


def test_the_limit_of_five_holds_over_both(tmp_path: Path, postgres: PostgresServer) -> None:
    with two_daemons(tmp_path, postgres.new_database()) as both:
        with ThreadPoolExecutor(16) as pool:
            seats = list(pool.map(lambda n: both[n % 2].seat(f"p{n}"), range(64)))
        assert seated(seats) == LIMIT
        refused = next(seat for seat in seats if not seat.admitted)
        assert refused.first["code"] == "license-limit"
        for daemon in both:
            eventually(
                "both count all seats",
                lambda daemon=daemon: (
                    daemon.api("GET", "/license").json["activeDataplaneProxies"] == LIMIT
                ),
            )
        leave([seat for seat in seats if seat.admitted])
        eventually("the seats are free on the other side", lambda: joined(both[1], "default"))


def test_the_seats_of_a_killed_control_plane_become_free_and_a_restarted_one_keeps_its_own(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    address = postgres.new_database()
    with two_daemons(tmp_path, address) as (one, two):
        seats = [one.seat(f"p{number}") for number in range(LIMIT)]
        assert seated(seats) == LIMIT
        one.stop(signal.SIGKILL)
        leave(seats)
        assert not two.seat("x").admitted

        one.start()
        again = one.seat("p0")
        assert again.admitted
        assert not two.seat("x").admitted

        one.stop(signal.SIGKILL)
        again.leave()
        let_seats_run_out(postgres, address)
        taken = [two.seat(f"x{number}") for number in range(LIMIT + 1)]
        assert seated(taken) == LIMIT
        leave(taken)
