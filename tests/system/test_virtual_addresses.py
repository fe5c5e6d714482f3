"""Virtual addresses of two control planes on one PostgreSQL: one result, that a restart keeps."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kong_mesh_cp.core.meshes.virtual_addresses import config_name, parse
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from support.daemons.daemon import Daemon, eventually
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import two_daemons

pytestmark = pytest.mark.system

SERVICES = 60


def put(daemon: Daemon, service: str) -> int:
    inbound = {"port": 80, "tags": {"kuma.io/service": service}}
    body = {
        "type": "Dataplane",
        "mesh": "default",
        "name": service,
        "networking": {"address": "10.0.0.1", "inbound": [inbound]},
    }
    headers = {"Content-Type": "application/json"}
    target = f"/meshes/default/dataplanes/{service}"
    return daemon.api("PUT", target, headers, json.dumps(body).encode()).status


def addresses(server: PostgresServer, address: PostgresAddress) -> dict[str, str]:
    with server.administering(address.database) as connection:
        row = connection.execute(
            "SELECT spec FROM kong_mesh_cp.resource WHERE type = 'Config' AND name = %s",
            [config_name("default")],
        ).fetchone()
    if row is None:
        return {}
    found = parse(json.loads(row[0])["config"])
    return {host.name: service.address for host, service in found.items()}


def test_names_that_come_through_both_get_one_address_each_and_keep_it_over_a_restart(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    database = postgres.new_database()
    services = [f"s{number:02}" for number in range(SERVICES)]
    with two_daemons(tmp_path, database) as daemons:
        with ThreadPoolExecutor(4) as writers:
            statuses = writers.map(put, [daemons[index % 2] for index in range(SERVICES)], services)
            assert set(statuses) == {201}
        eventually("every name has one", lambda: len(addresses(postgres, database)) == SERVICES)
        given = addresses(postgres, database)
        assert len(set(given.values())) == SERVICES
        assert all(each.startswith("240.0.0.") for each in given.values())
        for daemon in daemons:
            daemon.stop()
        daemons[0].start()
        assert put(daemons[0], "one-more") == 201
        eventually("the new name has one", lambda: "one-more" in addresses(postgres, database))
        after = addresses(postgres, database)
        assert after.pop("one-more") not in given.values()
        assert after == given
