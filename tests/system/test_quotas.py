"""What a user without groups may store is bounded, and administrators and proxies are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import Answer, Daemon, Seat, eventually, running

pytestmark = pytest.mark.system

SMALL = {"KMESH_STORE_QUOTA_ITEMS": "40", "KMESH_STORE_QUOTA_BYTES": "200000"}


def write(daemon: Daemon, name: str, token: str = "", *, characters: int = 10) -> Answer:
    headers = {"Content-Type": "application/json"}
    if token:
        headers |= {"Authorization": f"Bearer {token}", "X-Forwarded-For": "9.9.9.9"}
    body = {
        "type": "MeshTimeout",
        "mesh": "default",
        "name": name,
        "labels": {"padding": "x" * 10} | {f"l{at}": "y" * 60 for at in range(characters // 60)},
        "spec": {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}]},
    }
    path = f"/meshes/default/meshtimeouts/{name}"
    return daemon.api("PUT", path, headers, json.dumps(body).encode())


def user_token(daemon: Daemon) -> str:
    body = json.dumps({"name": "john", "groups": [], "validFor": "1h"}).encode()
    headers = {"Content-Type": "application/json"}
    answer = daemon.api("POST", "/tokens/user", headers, body)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def test_a_user_fills_the_store_to_the_quota_and_everybody_else_goes_on(tmp_path: Path) -> None:
    with running(tmp_path, environment=SMALL) as daemon:
        key = "/global-secrets/admin-user-token"
        eventually("all is made", lambda: daemon.api("GET", key).status == 200)
        token = user_token(daemon)
        answers = [write(daemon, f"p{number}", token) for number in range(40)]
        statuses = [answer.status for answer in answers]
        assert statuses[0] == 201
        assert statuses[-1] == 403
        refused: Any = answers[-1].json
        assert refused["code"] == "resource-over-quota"
        assert "up to 40 items" in refused["detail"]
        assert refused["hint"]

        assert write(daemon, "p0", token).status == 200
        large = write(daemon, "p0", token, characters=300_000)
        assert (large.status, large.json["code"]) == (403, "resource-over-quota")
        assert "up to 200000 bytes" in str(large.json["detail"])
        assert write(daemon, "administrators").status == 201
        networking = {
            "address": "127.0.0.1",
            "inbound": [{"port": 80, "tags": {"kuma.io/service": "backend"}}],
        }
        dataplane = {"type": "Dataplane", "mesh": "default", "name": "dp", "networking": networking}
        with Seat.ask(daemon.socket, {"dataplane": dataplane}) as seat:
            assert seat.admitted

        daemon.stop()
        daemon.start()
        assert write(daemon, "more", token).status == 403, "it is known after a restart"
        assert daemon.api("DELETE", "/meshes/default/meshtimeouts/administrators").status == 200
        assert daemon.api("DELETE", "/meshes/default/meshtimeouts/p1").status == 200
        assert write(daemon, "more", token).status == 201
