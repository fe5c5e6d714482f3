"""Resources of a daemon as its clients meet them: over HTTP, over a restart, at the socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from support.daemons.daemon import Daemon, eventually, running

DEFAULT_POLICIES = {
    "meshtimeouts": ["mesh-gateways-timeout-all-default", "mesh-timeout-all-default"],
    "meshcircuitbreakers": ["mesh-circuit-breaker-all-default"],
    "meshretries": ["mesh-retry-all-default"],
}
NO_DEFAULTS = {"KUMA_DEFAULTS_SKIP_TENANT_RESOURCES": "true"}


def send(daemon: Daemon, method: str, path: str, body: object = None) -> int:
    url = f"{daemon.addresses['api']}{path}"
    if not url.startswith("http"):
        url = f"http://{url}"
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if body is not None else {}
    with urlopen(Request(url, content, headers, method=method)) as answer:
        return int(answer.status)


def names(daemon: Daemon, path: str) -> list[Any]:
    items = daemon.api("GET", path).json["items"]
    assert isinstance(items, list)
    return [item["name"] for item in items]


def test_a_first_start_has_the_default_mesh_with_its_four_policies(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        eventually("the default mesh", lambda: names(daemon, "/meshes") == ["default"])
        for path, expected in DEFAULT_POLICIES.items():
            assert names(daemon, f"/meshes/default/{path}") == expected
        eventually("all that a start makes", lambda: len(names(daemon, "/global-secrets")) == 5)
        assert daemon.api("GET", "/meshes/default/").status == 200


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, environment=NO_DEFAULTS) as daemon:
        assert names(daemon, "/meshes") == []
        assert send(daemon, "PUT", "/meshes/m", {"type": "Mesh", "name": "m"}) == 201
        daemon.stop()
        daemon.start()
        assert names(daemon, "/meshes") == ["m"]
        assert names(daemon, "/meshes/m/secrets") == ["dataplane-token-signing-key-m-1"]


def test_a_proxy_is_admitted_to_meshes_that_exist(tmp_path: Path) -> None:
    with running(tmp_path, environment=NO_DEFAULTS) as daemon:
        with daemon.seat("a", mesh="m") as refused:
            assert refused.status == 422 or not refused.admitted
        send(daemon, "PUT", "/meshes/m", {"type": "Mesh", "name": "m"})
        with daemon.seat("a", mesh="m") as seat:
            assert seat.admitted
        send(daemon, "DELETE", "/meshes/m")
        eventually("nobody is admitted any more", lambda: not admits(daemon, "b", mesh="m"))


def admits(daemon: Daemon, name: str, mesh: str) -> bool:
    with daemon.seat(name, mesh=mesh) as seat:
        return seat.admitted


def test_the_default_mesh_admits_from_the_first_moment(tmp_path: Path) -> None:
    with running(tmp_path) as daemon, daemon.seat("a") as seat:
        assert seat.admitted


def test_a_preloaded_daemon_serves_the_file_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "resources.yaml"
    file.write_text("type: Mesh\nname: m\n---\ntype: Zone\nname: east\n")
    skip = {"KUMA_DEFAULTS_SKIP_MESH_CREATION": "true"}
    with running(tmp_path, "--preload", str(file), environment=skip) as daemon:
        assert names(daemon, "/meshes") == ["m"]
        assert names(daemon, "/zones") == ["east"]
        assert names(daemon, "/global-secrets") == names(daemon, "/hostnamegenerators") == []
        assert not daemon.state.exists()
