"""The server for Prometheus of a spawned daemon (docs/wire/metrics.md#assignments)."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import Answer, Daemon, eventually
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

JSON = {"Content-Type": "application/json"}
PATH = "/v3/discovery:monitoringassignments"
DAEMON_TLS = {"KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_ENABLED": "true"}


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Daemon]:
    """One whose default mesh has metrics."""
    with Daemon(folder, environment=environment) as daemon:
        daemon.start()
        backend = {"name": "p", "type": "prometheus", "conf": {"port": 9, "path": "/m"}}
        metrics = {"enabledBackend": "p", "backends": [backend]}
        put(daemon, "/meshes/default", {"type": "Mesh", "name": "default", "metrics": metrics})
        yield daemon


def put(daemon: Daemon, path: str, resource: dict[str, Any]) -> None:
    answer = daemon.api("PUT", path, JSON, json.dumps(resource).encode())
    assert answer.status in {200, 201}, answer.body


def proxy(daemon: Daemon, name: str, address: str) -> None:
    inbound = {"port": 80, "tags": {"kuma.io/service": "web"}}
    networking = {"address": address, "inbound": [inbound]}
    document = {"type": "Dataplane", "mesh": "default", "name": name, "networking": networking}
    put(daemon, f"/meshes/default/dataplanes/{name}", document)


def fetch(daemon: Daemon, known: str = "", wait: str = "0s") -> Answer:
    scheme, _, place = daemon.addresses["monitoring"].partition("://")
    port = int(place.rpartition(":")[2])
    connection: http.client.HTTPConnection
    if scheme == "https":
        trusted = ssl.create_default_context(cafile=str(daemon.state / "kuma-cp.crt"))
        connection = http.client.HTTPSConnection(
            "localhost", port, timeout=HANG_SECONDS, context=trusted
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
    try:
        body = json.dumps({"version_info": known, "node": {"id": "prometheus"}})
        connection.request("POST", f"{PATH}?fetch-timeout={wait}", body, JSON)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.headers))
    finally:
        connection.close()


def names(answer: Answer) -> list[str]:
    found: Any = answer.json
    return [each["targets"][0]["name"] for each in found.get("resources", ())]


@pytest.mark.parametrize("environment", [{}, DAEMON_TLS], ids=["plain", "TLS"])
def test_who_waits_is_told_of_a_proxy_that_comes(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with running(tmp_path, **environment) as daemon:
        proxy(daemon, "web-1", "10.0.0.1")
        eventually("it is told", lambda: names(fetch(daemon)) == ["web-1"])
        known: Any = fetch(daemon).json["version_info"]
        assert fetch(daemon, known).status == 304
        told: list[Answer] = []
        waiting = threading.Thread(target=lambda: told.append(fetch(daemon, known, "5m")))
        waiting.start()

        proxy(daemon, "web-2", "10.0.0.2")
        waiting.join(HANG_SECONDS)

        assert [names(each) for each in told] == [["web-1", "web-2"]]


def test_a_stop_answers_those_who_wait(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        known: Any = fetch(daemon).json["version_info"]
        told: list[int] = []
        waiting = threading.Thread(target=lambda: told.append(fetch(daemon, known, "5m").status))
        waiting.start()
        eventually("it waits", lambda: connections(daemon) > 0)

        assert daemon.stop() == 0
        waiting.join(HANG_SECONDS)

        assert told == [304]


def connections(daemon: Daemon) -> int:
    """Of clients at the port for Prometheus, as the kernel counts them."""
    port = int(daemon.addresses["monitoring"].rpartition(":")[2])
    lines = Path(f"/proc/{daemon.pid}/net/tcp").read_text().splitlines()[1:]
    local, established = f":{port:04X}", "01"
    return sum(each.split()[1].endswith(local) and each.split()[3] == established for each in lines)


def test_a_global_control_plane_has_none(tmp_path: Path) -> None:
    with Daemon(tmp_path, environment={"KUMA_MODE": "global"}) as daemon:
        daemon.start()
        assert "monitoring" not in daemon.addresses
