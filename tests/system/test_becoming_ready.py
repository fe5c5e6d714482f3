"""Whoever is told that the control plane is ready finds what a start makes."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.daemons.daemon import START_SECONDS_MAX, eventually, running
from support.staging.starting_daemons import TIMEOUT, found, launched

pytestmark = pytest.mark.system

WRITERS = 20  # jobs of a pipeline that apply the same manifest


def test_what_is_ready_has_the_default_mesh_its_keys_and_the_admin_token(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        assert found(daemon) == [200, 201, 200, 200, 200]
        daemon.stop()
        daemon.start()
        assert found(daemon) == [200, 200, 200, 200, 200]


def test_the_first_answer_of_the_api_has_them_too(tmp_path: Path) -> None:
    with launched(tmp_path) as daemon:

        def answered() -> bool:
            try:
                return daemon.api("GET", "/").status == 200
            except OSError:
                return False  # the port is not open yet

        eventually("the first answer", answered)
        assert found(daemon) == [200, 201, 200, 200, 200]


def test_ready_says_no_until_they_are_there(tmp_path: Path) -> None:
    with launched(tmp_path) as daemon:
        statuses: list[int] = []

        def ready() -> bool:
            try:
                statuses.append(daemon.diagnostics("/ready").status)
            except OSError:
                return False
            return statuses[-1] == 200

        eventually("it is ready", ready)
        assert found(daemon)[0] == 200
        assert set(statuses[:-1]) <= {503}
        assert daemon.local("GET", "/v1/ready").status == 200


@pytest.mark.parametrize(
    "skipped",
    ["KUMA_DEFAULTS_SKIP_MESH_CREATION", "KUMA_DEFAULTS_SKIP_TENANT_RESOURCES"],
)
def test_what_is_not_wanted_is_not_waited_for(tmp_path: Path, skipped: str) -> None:
    with running(tmp_path, environment={skipped: "true"}) as daemon:
        assert daemon.diagnostics("/ready").status == 200
        assert daemon.api("GET", "/meshes/default").status == 404


def test_a_stop_before_it_is_ready_is_a_stop(tmp_path: Path) -> None:
    with launched(tmp_path) as daemon:
        eventually("it starts", lambda: any("EXTEND" in line for line in daemon.notifications))
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.stderr


def test_of_many_that_make_the_same_thing_one_creates_and_the_others_update(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as daemon:
        bodies = {
            "/meshes/shop": {"type": "Mesh", "name": "shop"},
            "/meshes/default/meshtimeouts/t": TIMEOUT,
            "/global-secrets/s": {"type": "GlobalSecret", "name": "s", "data": "YWJj"},
        }
        for path, body in bodies.items():
            content, together = json.dumps(body).encode(), threading.Barrier(WRITERS)

            def write(path: str, content: bytes, together: threading.Barrier) -> int:
                host = daemon.addresses["api"].removeprefix("http://")
                connection = http.client.HTTPConnection(host, timeout=START_SECONDS_MAX)
                connection.connect()
                together.wait(START_SECONDS_MAX)
                headers = {"Content-Type": "application/json"}
                connection.request("PUT", path, content, headers)
                status = connection.getresponse().status
                connection.close()
                return status

            with ThreadPoolExecutor(WRITERS) as pool:
                asked = [pool.submit(write, path, content, together) for _ in range(WRITERS)]
                statuses = sorted(each.result() for each in asked)
            assert statuses == [200] * (WRITERS - 1) + [201], path
