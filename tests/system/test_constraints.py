"""Constraints of a mesh, from the API that sets them to the socket that keeps to them."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from support.daemons.daemon import Daemon, eventually, running

pytestmark = pytest.mark.system

NO_DEFAULTS = {"KUMA_DEFAULTS_SKIP_TENANT_RESOURCES": "true"}
PAYMENTS = {"requirements": [{"tags": {"team": "payments"}}]}


def put_mesh(daemon: Daemon, constraints: object = None) -> None:
    mesh = {"type": "Mesh", "name": "m", "constraints": {"dataplaneProxy": constraints or {}}}
    url = f"{daemon.addresses['api']}/meshes/m"
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, json.dumps(mesh).encode(), headers, method="PUT")) as answer:
        assert answer.status in {200, 201}


def kept_out(daemon: Daemon, name: str) -> bool:
    with daemon.seat(name, mesh="m") as seat:
        return not seat.admitted and seat.first["code"] == "mesh-constraint"


def test_a_proxy_has_to_keep_to_the_constraints_of_its_mesh(tmp_path: Path) -> None:
    with running(tmp_path, environment=NO_DEFAULTS) as daemon:
        put_mesh(daemon, PAYMENTS)
        eventually("a mesh that asks for a team", lambda: kept_out(daemon, "stranger"))
        with daemon.seat("member", mesh="m", tags={"team": "payments"}) as member:
            assert member.admitted
            put_mesh(daemon, {"restrictions": [{"tags": {"team": "*"}}]})
            eventually("a mesh that asks for none", lambda: not kept_out(daemon, "stranger"))
            assert '"name":"member"' in daemon.local("GET", "/v1/admissions").body.decode()
        put_mesh(daemon)
        eventually("a mesh that takes all", lambda: admitted_with_team(daemon))


def admitted_with_team(daemon: Daemon) -> bool:
    with daemon.seat("member", mesh="m", tags={"team": "payments"}) as seat:
        return seat.admitted


def test_stored_constraints_bind_the_first_admission_after_a_start(tmp_path: Path) -> None:
    with running(tmp_path, environment=NO_DEFAULTS) as daemon:
        put_mesh(daemon, PAYMENTS)
        daemon.stop()
        daemon.start()
        assert kept_out(daemon, "stranger")
