"""A start, what it shows, and a stop: seen from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running

pytestmark = pytest.mark.system


def test_a_start_says_ready_to_the_service_manager_with_a_status(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        assert "READY=1" in daemon.notifications
        assert re.fullmatch(
            r"0 of 5 data plane proxies; pre-bundled license until \d{4}-\d\d-\d\d \(30 days\); restart safe",
            daemon.status_text,
        )


def test_the_index_has_the_members_that_clients_know_in_their_order(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        answer = daemon.api("GET", "/")

        assert list(answer.json) == [
            "basedOnKuma",
            "clusterId",
            "gui",
            "hostname",
            "instanceId",
            "product",
            "version",
            "capabilities",
        ]
        assert answer.json["product"] == "Kong Mesh"
        assert str(answer.json["version"]).startswith("2.10.")
        assert str(answer.json["instanceId"]).startswith(socket.gethostname() + "-")


def test_the_cluster_id_stays_over_a_restart_and_the_instance_id_does_not(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        first = daemon.api("GET", "/").json
        daemon.stop()
        second = daemon.start().api("GET", "/").json

    assert first["clusterId"] == second["clusterId"]
    assert first["instanceId"] != second["instanceId"]


def test_the_license_is_shown_with_exactly_the_documented_fields(tmp_path: Path) -> None:
    with running(tmp_path) as daemon, daemon.seat("backend-1"):
        body = daemon.api("GET", "/license").body.decode()

        lines = body.split("\n")
        assert lines[:3] == ["{", ' "allowedDataplaneProxies": 5,', ' "activeDataplaneProxies": 1,']
        assert re.fullmatch(r' "expirationDate": "\d{4}-\d\d-\d\dT00:00:00Z",', lines[3])
        assert lines[4:] == [' "demo": true', "}", ""]


def test_health_readiness_and_metrics_are_served(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        assert (daemon.diagnostics("/healthy").status, daemon.diagnostics("/healthy").body) == (
            200,
            b"",
        )
        assert daemon.diagnostics("/ready").status == 200
        assert daemon.metric("kong_mesh_license_dataplanes_allowed") == 5
        assert daemon.local("GET", "/v1/ready").status == 200


def _leaf(tree: object, *keys: str) -> object:
    for key in keys:
        assert isinstance(tree, dict)
        tree = tree[key]
    return tree


def test_the_configuration_in_force_is_shown_to_those_the_lists_name(tmp_path: Path) -> None:
    only_admins = {"KUMA_ACCESS_STATIC_CONTROL_PLANE_METADATA_GROUPS": "mesh-system:admin"}
    with running(tmp_path, environment=only_admins) as daemon:
        shown = daemon.api("GET", "/config").json
        assert _leaf(shown, "general", "workDir") == str(daemon.state)
        assert daemon.api("GET", "/config", {"Host": "mesh.example"}).status == 403
        assert daemon.api("GET", "/config", {"X-Forwarded-For": "10.0.0.1"}).status == 403


def test_localhost_is_no_admin_when_the_setting_says_so(tmp_path: Path) -> None:
    environment = {"KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN": "false"}
    with running(tmp_path, environment=environment) as daemon:
        assert daemon.api("GET", "/config").status == 200  # by Kuma's lists, everybody sees it
        assert daemon.api("GET", "/license?view=full").status == 403
        assert daemon.api("POST", "/license/reload").status == 403
        assert daemon.api("GET", "/license").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_says_so_and_ends_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as daemon:
        assert daemon.stop(number) == 0
        assert "STOPPING=1" in daemon.notifications
        assert not daemon.socket.exists()


def test_a_stop_ends_held_seats_at_once_and_keeps_them_for_their_proxies(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        seats = [daemon.seat(f"proxy-{n}") for n in range(5)]
        assert daemon.stop() == 0
        for seat in seats:
            seat.leave()
        daemon.start()

        assert not daemon.seat("stranger").admitted
        returned = [daemon.seat(f"proxy-{n}") for n in range(5)]
        assert all(seat.admitted for seat in returned)
        for seat in returned:
            seat.leave()


def test_two_daemons_do_not_share_a_state_directory(tmp_path: Path) -> None:
    with running(tmp_path / "one") as first:
        second = Daemon(tmp_path / "two", environment={"KUMA_GENERAL_WORK_DIR": str(first.state)})
        with second.launch():
            assert second.exit_status() == 73
            assert re.search(
                rf"^kong-mesh-cp: state-locked: .* process {first.pid} ",
                second.stderr,
                re.MULTILINE,
            )
            assert not second.socket.exists()


def test_an_admission_socket_of_systemd_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "given.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        # What systemd does between fork and exec: the socket becomes descriptor 3.
        wrapper = (
            "bash",
            "-c",
            f'exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=admission; exec "$@"',
            "bash",
        )
        with Daemon(tmp_path / "d", wrapper=wrapper, pass_fds=(listener.fileno(),)) as daemon:
            daemon.start()
            daemon.socket = path
            assert daemon.local("GET", "/v1/ready").status == 200
            assert daemon.addresses["admission"] == str(path)
            daemon.stop()
        assert path.exists(), "the socket belongs to systemd"


def test_the_watchdog_is_fed_while_the_loop_runs(tmp_path: Path) -> None:
    with running(tmp_path, environment={"WATCHDOG_USEC": "200000"}) as daemon:
        eventually("three signs of life", lambda: daemon.notifications.count("WATCHDOG=1") >= 3)


def test_the_banner_says_where_everything_is(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        first, second, third = daemon.stdout.read_text().splitlines()

        assert re.fullmatch(
            r"kong-mesh-cp 0\.1\.0 · pre-bundled license: 5 data plane proxies, 30 days left"
            r" \(until \d{4}-\d\d-\d\dT00:00:00Z\)",
            first,
        )
        assert set(daemon.addresses) == {
            "admission",
            "api",
            "api-https",
            "diagnostics",
            "monitoring",
            "proxies",
        }
        assert "KMESH_LICENSE_PATH=" in third
        assert second


def test_the_list_of_seats_names_the_peer(tmp_path: Path) -> None:
    with running(tmp_path) as daemon, daemon.seat("backend-1"):
        listed = json.loads(daemon.local("GET", "/v1/admissions").body)
        text = json.dumps(listed)
        assert '"backend-1"' in text
        assert f'"pid": {os.getpid()}' in text


def test_a_start_with_a_past_imports_nothing_heavy(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        eventually(
            "the default mesh is there",
            lambda: daemon.api("GET", "/meshes/default").status == 200,
        )
        daemon.stop()
    watched = {"PYTHONPROFILEIMPORTTIME": "1"}  # as python -X importtime
    with running(tmp_path, environment=watched) as daemon:
        assert daemon.api("GET", "/meshes/default").status == 200
        daemon.stop()
        names = re.findall(r"^import time: .*\| +([\w.]+)$", daemon.stderr, re.MULTILINE)
        imported = set(names)

    assert "kong_mesh_cp.compose.resources" in imported
    # cryptography.x509 is there: it is looked when the listeners' certificates end.
    heavy = {"google.protobuf", "h2", "hpack", "psycopg", "yaml", "tomli_w"}
    assert not imported & heavy
