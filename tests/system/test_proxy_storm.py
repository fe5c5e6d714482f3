"""Proxies on ADS come and go while their control planes are killed: no seat too many or too few.

`scripts/storm-proxies` kills many more times.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, free_port
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import two_daemons
from support.storms.proxy_storm import Plane, all_may_come_back, environment, rage

SEED = int(os.environ.get("KMESH_STORM_SEED", "20261130"))
KILLS = 6

pytestmark = pytest.mark.system


def test_no_seat_is_leaked_or_doubled_when_a_control_plane_is_killed(tmp_path: Path) -> None:
    port = free_port()
    with Daemon(tmp_path, environment=environment(port)).start() as daemon:
        eventually("the mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
        planes = [Plane(daemon, port)]

        rage(planes, KILLS, SEED)

        all_may_come_back(planes, SEED + 1000)


def test_no_seat_is_leaked_or_doubled_over_two_control_planes(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    ports = free_port(), free_port()
    of_each = environment(ports[0]), environment(ports[1])
    with two_daemons(tmp_path, postgres.new_database(), of_each=of_each) as daemons:
        planes = [Plane(daemon, port) for daemon, port in zip(daemons, ports, strict=True)]

        rage(planes, KILLS, SEED)

        all_may_come_back(planes, SEED + 1000)
