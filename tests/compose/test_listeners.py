"""Listeners of one start: all of them, or a refusal that leaves nothing open."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.compose.listeners import open_listeners
from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.settings.loading import load
from kong_mesh_cp.settings.model import Settings
from support.suites.patience import HANG_SECONDS


def settings_in(directory: Path, **environ: str) -> Settings:
    environment = {
        "KUMA_GENERAL_WORK_DIR": str(directory),
        "KMESH_ADMISSION_SOCKET": str(directory / "a.sock"),
        "KUMA_API_SERVER_HTTP_INTERFACE": "127.0.0.1",
        "KUMA_API_SERVER_HTTP_PORT": "0",
        "KUMA_API_SERVER_HTTPS_INTERFACE": "127.0.0.1",
        "KUMA_API_SERVER_HTTPS_PORT": "0",
        "KUMA_DIAGNOSTICS_SERVER_PORT": "0",
        "KUMA_DP_SERVER_PORT": "0",
        "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": "0",
        "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT": "0",
        **environ,
    }
    return load(arguments={}, environ=environment, default_file=directory / "no-such.toml").settings


def test_all_are_opened_and_know_their_addresses(tmp_path: Path) -> None:
    with open_listeners(settings_in(tmp_path), ()) as listeners:
        addresses = listeners.addresses()

        names = ["admission", "api", "api-https", "proxies", "monitoring", "diagnostics"]
        assert list(addresses) == names
        assert addresses["admission"] == str(tmp_path / "a.sock")
        assert addresses["api"].startswith("http://127.0.0.1:")
        assert addresses["api-https"].startswith("https://127.0.0.1:")
        for name in ("api", "api-https", "proxies", "monitoring", "diagnostics"):
            port = int(addresses[name].partition(" ")[0].rpartition(":")[2])
            socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS).close()


def test_a_global_control_plane_listens_for_zones_and_not_for_proxies(tmp_path: Path) -> None:
    with open_listeners(settings_in(tmp_path, KUMA_MODE="global"), ()) as listeners:
        addresses = listeners.addresses()

        assert list(addresses) == ["admission", "api", "api-https", "zones", "diagnostics"]
        assert addresses["zones"].startswith("grpcs://")


def test_afterwards_nothing_listens_and_the_socket_is_gone(tmp_path: Path) -> None:
    with open_listeners(settings_in(tmp_path), ()) as listeners:
        opened = [
            listeners.admission,
            listeners.api,
            listeners.api_https,
            listeners.proxies,
            listeners.monitoring,
            listeners.diagnostics,
        ]

    assert not (tmp_path / "a.sock").exists()
    assert all(listener is not None and listener.fileno() == -1 for listener in opened)


@pytest.mark.parametrize(
    ("variable", "others"), [("HTTP", ["api-https"]), ("HTTPS", ["api"])], ids=["http", "https"]
)
def test_the_api_can_be_switched_off(tmp_path: Path, variable: str, others: list[str]) -> None:
    settings = settings_in(tmp_path, **{f"KUMA_API_SERVER_{variable}_ENABLED": "false"})
    with open_listeners(settings, ()) as listeners:
        servers = ["proxies", "monitoring", "diagnostics"]
        assert list(listeners.addresses()) == ["admission", *others, *servers]


@pytest.mark.parametrize(
    "variable",
    [
        "KUMA_API_SERVER_HTTP_PORT",
        "KUMA_API_SERVER_HTTPS_PORT",
        "KUMA_DIAGNOSTICS_SERVER_PORT",
        "KUMA_DP_SERVER_PORT",
        "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT",
    ],
)
def test_a_port_that_is_taken_names_its_setting_and_leaves_nothing(
    tmp_path: Path, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_in(tmp_path, **{variable: str(taken.getsockname()[1])})
        with pytest.raises(ListenError) as refused, open_listeners(settings, ()):
            pass

    assert variable in refused.value.hint
    assert not (tmp_path / "a.sock").exists()


TAKE_OVER = """
import logging, socket, sys
from pathlib import Path
from compose_listeners_test import settings_in
from kong_mesh_cp.compose.listeners import open_listeners
directory, *names = sys.argv[1:]
for number, name in enumerate(names, 3):
    listener = socket.socket(socket.AF_UNIX)
    assert listener.fileno() == number
    listener.bind(f"{directory}/{number}-{name}.sock")
    listener.listen()
    listener.detach()
logging.basicConfig()
with open_listeners(settings_in(Path(directory)), tuple(names)) as listeners:
    admission = listeners.admission
    print(listeners.admission_path, admission.getblocking(), admission.get_inheritable())
"""


def given_by_systemd(directory: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """A child whose descriptors 3, 4, … are listening sockets called `names`."""
    # The builder of settings is this module's: it is lent to the child under a name.
    (directory / "compose_listeners_test.py").write_text(Path(__file__).read_text())
    return subprocess.run(
        [sys.executable, "-c", TAKE_OVER, str(directory), *names],
        env={"PYTHONPATH": os.pathsep.join([str(directory), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_admission_socket_of_systemd_is_taken_over_and_left_in_place(tmp_path: Path) -> None:
    done = given_by_systemd(tmp_path, "admission")

    path = tmp_path / "3-admission.sock"
    assert (done.stdout, done.stderr) == (f"{path} False False\n", "")
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert not (tmp_path / "a.sock").exists()


@pytest.mark.parametrize("other", ["metrics", "admission"])
def test_a_socket_that_will_not_be_served_is_reported(tmp_path: Path, other: str) -> None:
    done = given_by_systemd(tmp_path, "admission", other)

    assert done.stdout.startswith(f"{tmp_path}/3-admission.sock ")
    assert done.stderr.count("socket-not-used: ") == 1
    assert f"4-{other}.sock" in done.stderr


def test_a_closed_one_is_not_reported(tmp_path: Path) -> None:
    with open_listeners(settings_in(tmp_path), ()) as listeners:
        assert listeners.api_https is not None
        listeners.api_https.close()

        names = ["admission", "api", "proxies", "monitoring", "diagnostics"]
        assert list(listeners.addresses()) == names


def test_a_global_control_plane_has_no_server_for_proxies(tmp_path: Path) -> None:
    with open_listeners(settings_in(tmp_path, KUMA_MODE="global"), ()) as listeners:
        assert listeners.proxies is None
        assert listeners.monitoring is None
        assert not {"proxies", "monitoring"} & listeners.addresses().keys()
