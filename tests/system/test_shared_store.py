"""Control planes on one PostgreSQL, from outside: killed, writing at once, seeing each other."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.keep_alive import Bundle, KeptConnection, http_request
from support.daemons.shared_database import SharedDatabase, joining, shared_database
from support.storms.api_storm import ENVIRONMENT, Storm, address_of, versions
from support.storms.storm_model import KINDS, MARK

pytestmark = pytest.mark.system

SEED = int(os.environ.get("KMESH_STORM_SEED", "20261128"))
WRITES = 300
NO_DEFAULTS = {"KUMA_DEFAULTS_SKIP_TENANT_RESOURCES": "true"}
CONNECTIONS = 8  # to each control plane
CONTENDED = [f"/meshes/m/meshretries/r{number}" for number in range(4)]


def test_after_kill_9_of_control_plane_or_database_every_acknowledged_write_is_there(
    tmp_path: Path,
) -> None:
    with (
        shared_database() as database,
        running(tmp_path, environment={**ENVIRONMENT, **database.environment}) as daemon,
    ):
        storm = Storm(daemon, SEED)
        for kill in (None, database.kill, None):
            storm.round(WRITES, database=kill)
        daemon.stop()
        storm.compare_versions(database.port, daemon.state)
    assert storm.figures.meshes > 3


@pytest.fixture(scope="module")
def database() -> Iterator[SharedDatabase]:
    with shared_database() as shared:
        yield shared


@pytest.fixture(scope="module")
def pair(
    database: SharedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, Daemon]]:
    environment = {**NO_DEFAULTS, **database.environment}
    with (
        running(tmp_path_factory.mktemp("one"), environment=environment) as first,
        joining(first, tmp_path_factory.mktemp("two")) as second,
        KeptConnection(address_of(first)) as connection,
    ):
        mesh = b'{"type":"Mesh","name":"m","skipCreatingInitialPolicies":["*"]}'
        assert connection.ask("PUT", "/meshes/m", mesh).status == 201
        yield first, second


def retry_policy(path: str, write: int) -> bytes:
    meta = {"type": "MeshRetry", "mesh": "m", "name": path.rpartition("/")[2]}
    labels = {"labels": {MARK: str(write)}}
    return json.dumps({**meta, **labels, **KINDS["meshretries"].body(write)}).encode()


def contend(daemons: tuple[Daemon, Daemon], writes: int) -> dict[str, dict[int, int]]:
    """Write the same few policies through both at once. By path: the status of each write."""
    bundles = [Bundle(address_of(daemon), CONNECTIONS) for daemon in daemons]
    answered: dict[str, dict[int, int]] = {path: {} for path in CONTENDED}
    under_way: list[dict[int, tuple[str, int]]] = [{}, {}]
    numbers = iter(range(1, writes + 1))

    def send(side: int, connection: int) -> None:
        if (number := next(numbers, None)) is not None:
            path = CONTENDED[number % len(CONTENDED)]
            under_way[side][connection] = path, number
            bundles[side].send(connection, http_request("PUT", path, retry_policy(path, number)))

    for connection in range(CONNECTIONS):
        for side in (0, 1):
            send(side, connection)
    while any(under_way):
        for side in (0, 1):
            for connection, reply in bundles[side].arrived() if under_way[side] else ():
                path, number = under_way[side].pop(connection)
                answered[path][number] = reply.status
                send(side, connection)
    for bundle in bundles:
        bundle.close()
    return answered


def test_of_writers_on_two_control_planes_none_loses_what_was_acknowledged(
    pair: tuple[Daemon, Daemon], database: SharedDatabase
) -> None:
    answered = contend(pair, WRITES)

    stored = versions(database.port, Path())
    for path, statuses in answered.items():
        counts = Counter(statuses.values())
        assert counts.keys() <= {200, 201, 409}, counts
        assert counts[201] == 1, "it was made once"
        # Each acknowledged write is one version: none was made over another one unseen.
        assert stored[path] == counts[200] + counts[201]
        shown = [daemon.api("GET", path).json for daemon in pair]
        assert shown[0] == shown[1]
        labels = shown[0]["labels"]
        assert isinstance(labels, dict)
        assert statuses[int(labels[MARK])] in {200, 201}
        assert KINDS["meshretries"].mark(shown[0]) == int(labels[MARK])


def test_what_is_written_on_one_is_there_on_the_other(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    path, headers = "/meshes/m/meshretries/seen", {"Content-Type": "application/json"}
    for number in range(1, 20):
        writer, reader = (first, second) if number % 2 else (second, first)
        assert writer.api("PUT", path, headers, retry_policy(path, number)).status in {200, 201}
        # Whoever was answered finds it at once, wherever it asks.
        assert reader.api("GET", path).json["labels"] == writer.api("GET", path).json["labels"]
    mesh = json.dumps({"type": "Mesh", "name": "new"}).encode()
    assert first.api("PUT", "/meshes/new", headers, mesh).status == 201
    proxy = json.dumps({"mesh": "new", "name": "a"}).encode()

    def joins() -> bool:
        return second.local("POST", "/v1/admissions?dryRun=true", proxy).status == 200

    eventually("the mesh is known at the other socket", joins)
    assert first.api("DELETE", "/meshes/new").status == 200
    eventually("it is forgotten there", lambda: not joins())
