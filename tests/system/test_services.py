"""Services with names of their own, as whoever asks the API sees them.

Source: docs/wire/services.md#services
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import two_daemons

pytestmark = pytest.mark.system

SERVICES = 40
MESH = {"type": "Mesh", "name": "shop", "meshServices": {"mode": "Exclusive"}}


def put(daemon: Daemon, target: str, body: dict[str, Any]) -> int:
    headers = {"Content-Type": "application/json"}
    return daemon.api("PUT", target, headers, json.dumps(body).encode()).status


def put_proxy(daemon: Daemon, name: str, service: str) -> int:
    inbound = {"port": 8080, "tags": {"kuma.io/service": service, "kuma.io/protocol": "http"}}
    body = {
        "type": "Dataplane",
        "mesh": "shop",
        "name": name,
        "networking": {"address": "10.0.0.1", "inbound": [inbound]},
    }
    return put(daemon, f"/meshes/shop/dataplanes/{name}", body)


def services(daemon: Daemon) -> dict[str, Any]:
    answer = daemon.api("GET", "/meshes/shop/meshservices?size=1000")
    return {each["name"]: each for each in json.loads(answer.body)["items"]}


def address(service: dict[str, Any]) -> str:
    vips = service["status"].get("vips", [{}])
    return str(vips[0].get("ip", ""))


def hostnames(service: dict[str, Any]) -> list[str]:
    return [each["hostname"] for each in service["status"].get("addresses", [])]


def generators(daemon: Daemon) -> int:
    total = json.loads(daemon.api("GET", "/hostnamegenerators").body)["total"]
    assert isinstance(total, int)
    return total


def test_proxies_that_are_applied_have_services_with_addresses_and_names(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        eventually("the first generators", lambda: generators(daemon) == 2)
        assert put(daemon, "/meshes/shop", MESH) == 201
        assert put_proxy(daemon, "backend-1", "backend") == 201
        assert put_proxy(daemon, "web-1", "web") == 201
        eventually("two services", lambda: services(daemon).keys() == {"backend", "web"})
        found = services(daemon)
        assert {address(each) for each in found.values()} == {"241.0.0.0", "241.0.0.1"}
        assert hostnames(found["backend"]) == ["backend.svc.mesh.local"]
        assert found["backend"]["spec"]["state"] == "Available"
        assert found["backend"]["labels"]["kuma.io/managed-by"] == "meshservice-generator"

        assert put(daemon, "/meshes/shop", {**MESH, "meshServices": {"mode": "Disabled"}}) == 200
        eventually("none any more", lambda: not services(daemon))


def test_two_control_planes_on_one_store_give_each_service_one_address_over_a_restart(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    names = [f"s{number:02}" for number in range(SERVICES)]
    with two_daemons(tmp_path, postgres.new_database()) as daemons:
        eventually("the first generators", lambda: generators(daemons[0]) == 2)
        assert put(daemons[0], "/meshes/shop", MESH) == 201
        with ThreadPoolExecutor(4) as writers:
            turns = [daemons[index % 2] for index in range(SERVICES)]
            assert set(writers.map(put_proxy, turns, names, names)) == {201}
        eventually("every service is there", lambda: services(daemons[1]).keys() == set(names))
        found = services(daemons[1])
        given = {name: address(each) for name, each in found.items()}
        assert len(set(given.values())) == SERVICES
        assert all(each.startswith("241.0.0.") for each in given.values())
        assert all(hostnames(found[name]) == [f"{name}.svc.mesh.local"] for name in names)

        for daemon in daemons:
            daemon.stop()
        daemons[0].start()
        assert put_proxy(daemons[0], "one-more", "one-more") == 201
        eventually("the new service", lambda: "one-more" in services(daemons[0]))
        after = {name: address(each) for name, each in services(daemons[0]).items()}
        assert after.pop("one-more") not in given.values()
        assert after == given
