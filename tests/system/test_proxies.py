"""Proxies that bring or have a Dataplane, from outside: registered, shown, gone with their seat."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.rsa_keys import public_key_of
from kong_mesh_cp.core.identity.tokens import DataplaneClaims
from kong_mesh_cp.shell.host.clocks import wall_clock
from support.daemons.daemon import Daemon, Seat, eventually, running
from support.fakes.identity import pem

pytestmark = pytest.mark.system

KEY = "/meshes/default/secrets/dataplane-token-signing-key-default"


@contextmanager
def furnished(directory: Path) -> Iterator[Daemon]:
    """A daemon that has made its default mesh."""
    with running(directory) as daemon:
        made = "/meshes/default"
        eventually("the default mesh", lambda: daemon.api("GET", made).status == 200)
        yield daemon


def dataplane(name: str = "backend-1", mesh: str = "default") -> dict[str, Any]:
    inbound = {"port": 80, "tags": {"kuma.io/service": "backend"}}
    networking = {"address": "127.0.0.1", "inbound": [inbound]}
    return {"type": "Dataplane", "mesh": mesh, "name": name, "networking": networking}


def register(daemon: Daemon, resource: dict[str, Any] | None = None) -> Seat:
    seat = Seat.ask(daemon.socket, {"dataplane": resource or dataplane()})
    assert seat.admitted, seat.first
    return seat


def put(daemon: Daemon, path: str, resource: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    answer = daemon.api("PUT", path, headers, json.dumps(resource).encode())
    assert answer.status in {200, 201}, answer.body


def names(daemon: Daemon) -> list[str]:
    items: Any = daemon.api("GET", "/meshes/default/dataplanes").json["items"]
    return [item["name"] for item in items]


def online(daemon: Daemon, name: str = "backend-1") -> list[bool]:
    """Whether each subscription is open, oldest first."""
    overview: Any = daemon.api("GET", f"/meshes/default/dataplanes/{name}/_overview").json
    listed = overview.get("dataplaneInsight", {}).get("subscriptions", [])
    return ["disconnectTime" not in each for each in listed]


def test_a_registered_proxy_is_online_until_its_connection_ends(tmp_path: Path) -> None:
    body = json.dumps({"dataplane": dataplane()}).encode()
    with furnished(tmp_path) as daemon:
        assert daemon.local("POST", "/v1/admissions?dryRun=true", body).status == 200
        assert names(daemon) == []
        with register(daemon):
            assert names(daemon) == ["backend-1"]
            eventually("it is online", lambda: online(daemon) == [True])
        eventually("it is gone", lambda: names(daemon) == [])
        said = "dataplane-removed: backend-1 of mesh default left"
        eventually("the log says so", lambda: said in daemon.stderr)


def test_a_proxy_whose_dataplane_is_stored_is_online_and_then_offline(tmp_path: Path) -> None:
    with furnished(tmp_path) as daemon:
        put(daemon, "/meshes/default/dataplanes/backend-1", dataplane())
        with daemon.seat("backend-1") as seat:
            assert seat.admitted
            eventually("it is online", lambda: online(daemon) == [True])
        eventually("it is offline", lambda: online(daemon) == [False])
        wrong = daemon.seat("backend-1", tags={"kuma.io/service": "web"})
        assert (wrong.status, wrong.first["code"]) == (409, "dataplane-mismatch")


def test_what_a_killed_daemon_registered_is_taken_over_by_its_successor(tmp_path: Path) -> None:
    with furnished(tmp_path) as daemon:
        lost = register(daemon)
        eventually("it is online", lambda: online(daemon) == [True])
        daemon.stop(signal.SIGKILL)
        lost.leave()
        daemon.start()
        assert names(daemon) == ["backend-1"]
        with register(daemon):
            eventually("it is back", lambda: online(daemon) == [False, True])
        eventually("it is gone", lambda: names(daemon) == [])


def test_the_token_of_an_admission_is_signed_by_the_newest_key(tmp_path: Path) -> None:
    with furnished(tmp_path) as daemon:
        with daemon.seat("backend-1", tags={"kuma.io/service": "backend"}) as seat:
            presented = PresentedToken.parse(seat.first["token"])
        data = str(daemon.api("GET", f"{KEY}-1").json["data"])
        key = public_key_of(base64.b64decode(data))
        claims = tokens.verify(presented, DataplaneClaims, keys=[key], revoked=(), now=wall_clock())
        assert (claims.name, claims.mesh) == ("backend-1", "default")
        assert claims.tags == {"kuma.io/service": ("backend",)}

        name = f"{KEY.rpartition('/')[2]}-2"
        secret = {"type": "Secret", "mesh": "default", "name": name}
        put(daemon, f"{KEY}-2", {**secret, "data": base64.b64encode(pem(2)).decode()})
        eventually("the new key signs", lambda: _kid(daemon) == "2")


def admitted(daemon: Daemon, mesh: str) -> bool:
    with daemon.seat("probe", mesh) as seat:
        return seat.admitted


def _kid(daemon: Daemon) -> str:
    with daemon.seat("backend-2") as seat:
        return PresentedToken.parse(seat.first["token"]).kid


def test_a_mesh_that_is_deleted_under_its_proxies_ends_their_seats(tmp_path: Path) -> None:
    unsafe = {"KUMA_STORE_UNSAFE_DELETE": "true"}
    with running(tmp_path, environment=unsafe) as daemon:
        put(daemon, "/meshes/m", {"type": "Mesh", "name": "m"})
        eventually("the mesh is known", lambda: admitted(daemon, "m"))
        with daemon.seat("plain", "m") as plain, register(daemon, dataplane(mesh="m")) as proxy:
            assert daemon.api("DELETE", "/meshes/m").status == 200
            for seat in (plain, proxy):
                assert seat.next_event()["code"] == "mesh-deleted"
                assert seat.ended()
        local = "/v1/admissions"
        eventually("no seat is held", lambda: daemon.local("GET", local).json["total"] == 0)


def test_a_dataplane_that_an_operator_deletes_ends_the_seat(tmp_path: Path) -> None:
    with furnished(tmp_path) as daemon, register(daemon) as seat:
        assert daemon.api("DELETE", "/meshes/default/dataplanes/backend-1").status == 200
        assert seat.next_event()["code"] == "dataplane-deleted"
        assert seat.ended()


def test_what_an_administrator_stored_survives_a_process_that_claims_its_name(
    tmp_path: Path,
) -> None:
    path = "/meshes/default/dataplanes/opdp"
    with furnished(tmp_path) as daemon:
        put(daemon, path, dataplane("opdp"))
        theirs = dataplane("opdp")
        theirs["networking"]["address"] = "6.6.6.6"
        claimed = Seat.ask(daemon.socket, {"dataplane": theirs})

        assert (claimed.status, claimed.first["code"]) == (409, "dataplane-stored")
        assert claimed.first["hint"]
        with Seat.ask(daemon.socket, {"mesh": "default", "name": "opdp"}) as joined:
            assert joined.admitted
        eventually(
            "the seat is free", lambda: not daemon.local("GET", "/v1/admissions").json["total"]
        )
        stored: Any = daemon.api("GET", path).json
        assert stored["networking"]["address"] == "127.0.0.1"


def test_the_start_says_that_the_socket_is_open_unless_rules_say_who_may_join(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[admission.rules]]\nuid = 0\n")
    with running(tmp_path / "open") as daemon:
        eventually("it is ready", lambda: "ready: " in daemon.stderr)
        assert daemon.stderr.count("admission-open: ") == 1
    with running(tmp_path / "ruled", "--config-file", str(rules)) as daemon:
        eventually("it is ready", lambda: "ready: " in daemon.stderr)
        assert "admission-open: " not in daemon.stderr
