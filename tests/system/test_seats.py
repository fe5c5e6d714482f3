"""Seats from outside: taken, refused, given back, kept over a restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, Seat, eventually, running
from support.licenses.licenses import keyring_json, license_document

pytestmark = pytest.mark.system


def _active(daemon: Daemon) -> object:
    return daemon.api("GET", "/license").json["activeDataplaneProxies"]


def test_the_first_line_tells_the_seat_and_the_license(tmp_path: Path) -> None:
    with (
        running(tmp_path) as daemon,
        daemon.seat("backend-1", tags={"kuma.io/service": "b"}) as seat,
    ):
        assert seat.first["decision"] == "admitted"
        assert seat.first["seat"] == {
            "zone": "default",
            "mesh": "default",
            "name": "backend-1",
            "kind": "sidecar",
            "counted": True,
        }
        assert seat.first["license"] == {"allowed": 5, "active": 1, "daysLeft": 30, "demo": True}
        assert seat.first["warnings"] == []


def test_the_sixth_sidecar_is_refused_by_the_pre_bundled_license_and_a_gateway_is_not(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as daemon:
        seats = [daemon.seat(f"proxy-{n}") for n in range(5)]
        sixth = daemon.seat("proxy-5")
        assert (sixth.status, sixth.first["code"]) == (403, "license-limit")
        assert sixth.first["hint"]
        gateway = _dataplane(daemon, "edge-1", {"gateway": {"tags": {"kuma.io/service": "edge"}}})
        assert gateway.first["seat"]["kind"] == "delegated-gateway"
        assert _active(daemon) == 5
        for seat in [*seats, gateway]:
            seat.leave()


def _dataplane(daemon: Daemon, name: str, networking: dict[str, object]) -> Seat:
    resource = {
        "type": "Dataplane",
        "mesh": "default",
        "name": name,
        "networking": {"address": "127.0.0.1", **networking},
    }
    return Seat.ask(daemon.socket, {"dataplane": resource})


def test_a_seat_is_free_when_its_connection_ends_also_by_sigkill(tmp_path: Path) -> None:
    holder = (
        "import sys; sys.path[:0] = [sys.argv[2]]; from pathlib import Path;"
        "from support.daemons.daemon import Seat; s = Seat(Path(sys.argv[1]), 'backend-1');"
        "print(s.status, flush=True); sys.stdin.read()"
    )
    with running(tmp_path) as daemon:
        client = subprocess.Popen(
            [
                sys.executable,
                "-c",
                holder,
                os.fspath(daemon.socket),
                str(Path(__file__).parents[1]),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"200\n"
            assert _active(daemon) == 1
            client.send_signal(signal.SIGKILL)
        eventually("the seat is free", lambda: _active(daemon) == 0)


def test_a_dry_run_decides_and_takes_nothing(tmp_path: Path) -> None:
    body = json.dumps({"mesh": "default", "name": "backend-1"}).encode()
    with running(tmp_path) as daemon:
        answer = daemon.local("POST", "/v1/admissions?dryRun=true", body)
        assert answer.json["decision"] == "admitted"
        assert _active(daemon) == 0


def test_known_proxies_come_back_after_sigkill_of_the_daemon_and_strangers_wait(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as daemon:
        seats = [daemon.seat(f"proxy-{n}") for n in range(5)]
        daemon.stop(signal.SIGKILL)
        for seat in seats:
            seat.leave()
        daemon.start()
        assert daemon.metric("kong_mesh_seats_reserved") == 5
        assert not daemon.seat("stranger").admitted
        back = [daemon.seat(f"proxy-{n}") for n in range(5)]
        assert all(seat.admitted for seat in back)
        for seat in back:
            seat.leave()


def test_an_issued_license_admits_above_its_limit_and_warns(tmp_path: Path) -> None:
    (tmp_path / "keyring.json").write_bytes(keyring_json())
    path = tmp_path / "license.json"
    path.write_bytes(license_document(dataplanes=1))
    flags = ("--license-keyring", str(tmp_path / "keyring.json"))
    environment = {"KMESH_LICENSE_PATH": str(path)}
    with (
        running(tmp_path / "d", *flags, environment=environment) as daemon,
        daemon.seat("first"),
        daemon.seat("second") as second,
    ):
        assert second.admitted
        assert "over-limit" in [warning["code"] for warning in second.first["warnings"]]
        assert daemon.metric("kong_mesh_license_over_limit") == 1
        eventually("the log says so", lambda: "license-over-limit" in daemon.stderr)


def test_a_mesh_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        refused = daemon.seat("backend-1", "payments")
        assert (refused.status, refused.first["code"]) == (404, "mesh-not-found")
        assert "default" in refused.first["hint"]


def test_rules_in_the_configuration_decide_who_may_join(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[admission.rules]]\nuid = {os.getuid()}\nname = "allowed"\ntags = {{ team = "payments" }}\n'
    )
    with running(tmp_path / "d", "--config-file", str(config)) as daemon:
        with daemon.seat("allowed") as seat:
            assert seat.first["tags"] == {"team": "payments"}
        refused = daemon.seat("other")
        assert (refused.status, refused.first["code"]) == (403, "identity")
