"""The program as a whole: versions, completion, help, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kumactl
from kong_mesh_cp import __version__
from kumactl.session import compatible
from support.daemons.kuma_api import INDEX, Reply, api
from support.daemons.kumactl_runs import CONFIG, User
from support.suites.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]


def test_the_version_of_both_ends(tmp_path: Path) -> None:
    with api(lambda _asked: Reply(body=INDEX)) as server:
        ran = User(tmp_path, server.url).run("version")

    assert ran.out == (
        "Client: Kong Mesh 2.10.11\nServer: Kong Mesh 2.10.11\n"
        f"Package: kong-mesh-cp {__version__}\n"
    )
    assert kumactl.__version__ == __version__


def test_the_own_version_needs_no_server(tmp_path: Path) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run("version", "--api-timeout", "5s")

    assert ran.status == 0
    assert ran.out == f"Client: Kong Mesh 2.10.11\nPackage: kong-mesh-cp {__version__}\n"
    assert ran.err.startswith("Unable to connect to control plane: ")


def test_the_version_of_the_tool_alone(tmp_path: Path) -> None:
    ran = User(tmp_path).run("--version")

    assert (ran.status, ran.out) == (0, f"kumactl {__version__} (Kong Mesh 2.10.11)\n")


@pytest.mark.parametrize("flag", ["-a", "--detailed"])
def test_all_that_is_known_of_both_versions(flag: str, tmp_path: Path) -> None:
    with api(lambda _asked: Reply(body=INDEX)) as server:
        ran = User(tmp_path, server.url).run("version", flag)

    client, _, rest = ran.out.partition("Server: ")
    shown, _, package = rest.rpartition("Package: ")
    assert client.splitlines() == [
        "Product:       Kong Mesh",
        "Version:       2.10.11",
        "Git Tag:       unknown",
        "Git Commit:    unknown",
        "Build Date:    unknown",
        "Based on Kuma: 2.10.11",
    ]
    assert json.loads(shown) == INDEX
    assert shown.startswith('{\n   "basedOnKuma"')
    assert package == f"kong-mesh-cp {__version__}\n"


@pytest.mark.parametrize(
    ("theirs", "fits"),
    [
        ("2.10.11", True),
        ("2.12.0", True),
        ("v2.8.1", True),
        ("2.13.0", False),
        ("3.10.0", False),
        ("0.0.0-preview.v1", True),
        ("unknown", False),
        ("2", False),
        ("2.x", False),
    ],
)
def test_two_minors_apart_still_fit(theirs: str, *, fits: bool) -> None:
    assert compatible("2.10.11", theirs) is fits


def test_a_distant_version_is_a_warning_and_no_more(tmp_path: Path) -> None:
    def answer(_asked: object) -> Reply:
        return Reply(body={**INDEX, "version": "2.2.0", "total": 0, "items": []})

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("get", "meshes")

    assert ran.status == 0
    assert ran.err == (
        "WARNING: this kumactl is made for Kong Mesh 2.10.11;"
        " the control plane is Kong Mesh 2.2.0\n"
    )


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "daemon"), "HOME": "/nonexistent"}


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--help"], 0),
        (["version", "--no-config"], 0),
        (["get"], 2),
        (["apply", "--no-config", "-f", "/nonexistent"], 2),
        (["get", "meshes", "--config-file", "{config}"], 3),
    ],
)
def test_the_process_ends_with_the_status_of_its_command(
    argv: list[str], status: int, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(CONFIG.format(url="http://127.0.0.1:9"))
    command = [sys.executable, "-m", "kumactl", *(each.format(config=config) for each in argv)]

    done = subprocess.run(
        command,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )

    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    script = '"$@" completion bash | head -c 1; echo ${PIPESTATUS[0]} >&2'
    done = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-m", "kumactl"],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )

    assert "Traceback" not in done.stderr
