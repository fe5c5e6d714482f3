"""A global control plane and one of a zone, from outside: what goes down, what comes up, what stays
when the global one is gone.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping

import pytest

from support.daemons.daemon import Daemon, eventually, free_port, running

pytestmark = pytest.mark.system

ALLOW = {
    "targetRef": {"kind": "Mesh"},
    "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}],
}
DATAPLANE = {
    "networking": {
        "address": "10.0.0.1",
        "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}],
    }
}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def global_daemon(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Daemon]:
    environment = {"KUMA_MODE": "global", "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT": str(port)}
    with running(tmp_path_factory.mktemp("g"), environment=environment) as started:
        yield started


@pytest.fixture(scope="module")
def zone(
    tmp_path_factory: pytest.TempPathFactory, port: int, global_daemon: Daemon
) -> Iterator[Daemon]:
    environment = {
        "KUMA_MULTIZONE_ZONE_NAME": "east",
        "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": f"grpcs://127.0.0.1:{port}",
        "KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY": "true",
        "KUMA_GENERAL_RESILIENT_COMPONENT_BASE_BACKOFF": "100ms",
    }
    with running(tmp_path_factory.mktemp("z"), environment=environment) as started:
        eventually("the mesh", lambda: started.api("GET", "/meshes/default").status == 200)
        eventually("it is online", lambda: is_active(global_daemon))
        yield started


def is_active(daemon: Daemon) -> bool:
    answer = daemon.api("GET", "/status/zones")
    return b'"active":true' in answer.body.replace(b" ", b"")


def put(
    daemon: Daemon, path: str, type_name: str, labels: Mapping[str, str], **body: object
) -> None:
    document = {
        "type": type_name,
        "mesh": "default",
        "name": path.rpartition("/")[2],
        "labels": labels,
        **body,
    }
    answer = daemon.api(
        "PUT", path, {"Content-Type": "application/json"}, json.dumps(document).encode()
    )
    assert answer.status in {200, 201}, answer


def shown(daemon: Daemon, kind: str) -> dict[str, Mapping[str, str]]:
    """Labels by display name."""
    items = daemon.api("GET", f"/meshes/default/{kind}").json["items"]
    assert isinstance(items, list)
    labels = [each.get("labels", {}) | {"": each["name"]} for each in items]
    return {each.get("kuma.io/display-name", each[""]): each for each in labels}


def test_a_policy_goes_down_and_its_deletion_too(global_daemon: Daemon, zone: Daemon) -> None:
    path = "/meshes/default/meshtrafficpermissions/down"
    put(global_daemon, path, "MeshTrafficPermission", {}, spec=ALLOW)
    eventually("in the zone", lambda: "down" in shown(zone, "meshtrafficpermissions"))
    assert shown(zone, "meshtrafficpermissions")["down"]["kuma.io/origin"] == "global"

    assert global_daemon.api("DELETE", path).status == 200
    eventually("gone", lambda: "down" not in shown(zone, "meshtrafficpermissions"))


def test_a_proxy_of_the_zone_comes_up(global_daemon: Daemon, zone: Daemon) -> None:
    put(zone, "/meshes/default/dataplanes/up", "Dataplane", {}, **DATAPLANE)
    eventually("at the global one", lambda: "up" in shown(global_daemon, "dataplanes"))
    assert shown(global_daemon, "dataplanes")["up"]["kuma.io/zone"] == "east"

    assert zone.api("DELETE", "/meshes/default/dataplanes/up").status == 200
    eventually("gone", lambda: "up" not in shown(global_daemon, "dataplanes"))


def test_the_cluster_of_a_zone_is_that_of_its_global_control_plane(
    global_daemon: Daemon, zone: Daemon
) -> None:
    cluster = global_daemon.api("GET", "/").json["clusterId"]
    eventually("the same", lambda: zone.api("GET", "/").json["clusterId"] == cluster)


def test_a_zone_works_on_alone_and_catches_up(global_daemon: Daemon, zone: Daemon) -> None:
    put(
        global_daemon,
        "/meshes/default/meshtrafficpermissions/stays",
        "MeshTrafficPermission",
        {},
        spec=ALLOW,
    )
    eventually("in the zone", lambda: "stays" in shown(zone, "meshtrafficpermissions"))
    global_daemon.stop(signal.SIGKILL)
    eventually("it is said", lambda: "global-lost: " in zone.stderr)

    assert "stays" in shown(zone, "meshtrafficpermissions")
    put(
        zone,
        "/meshes/default/meshtrafficpermissions/own",
        "MeshTrafficPermission",
        {"kuma.io/origin": "zone"},
        spec=ALLOW,
    )
    global_daemon.start()
    eventually("at the global one", lambda: "own" in shown(global_daemon, "meshtrafficpermissions"))
    assert {"own", "stays"} <= shown(zone, "meshtrafficpermissions").keys()
