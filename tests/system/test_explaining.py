"""Why a connected proxy is configured as it is, and what a change would do to it, from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import Daemon, eventually, free_port, running
from support.daemons.kumactl_runs import User
from support.data_plane.ads_clients import AdsProxy, token

pytestmark = pytest.mark.system

PATIENT = """\
type: MeshTimeout
mesh: default
name: patient
spec:
  targetRef: {kind: Dataplane, name: backend-1}
  rules: [{default: {connectionTimeout: 77s}}]
"""


@contextmanager
def connected(folder: Path) -> Iterator[tuple[Daemon, User]]:
    """A daemon with the proxy backend-1 on its stream."""
    port = free_port()
    environment = {
        "KUMA_DP_SERVER_PORT": str(port),
        "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "1s",
    }
    with (
        running(folder / "d", environment=environment) as daemon,
        AdsProxy(port, "backend-1", token(daemon)) as proxy,
    ):
        assert proxy.joined
        eventually("it is online", lambda: sent(daemon) != "")
        yield daemon, User(folder, daemon.addresses["api"])


def sent(daemon: Daemon) -> str:
    """How many clusters' responses the proxy got; "" while nothing is known of it."""
    insight: Any = daemon.api("GET", "/meshes/default/dataplanes/backend-1/_overview").json
    subscriptions = insight.get("dataplaneInsight", {}).get("subscriptions", [])
    status = subscriptions[-1]["status"] if subscriptions else {}
    return str(status.get("cds", {}).get("responsesSent", ""))


def test_a_preview_tells_what_the_proxy_is_told_after_the_write_and_not_before(
    tmp_path: Path,
) -> None:
    with connected(tmp_path) as (daemon, user):
        before = sent(daemon)
        foretold = user.run("apply", "--preview", "-f", "-", stdin=PATIENT.encode())
        assert foretold.out.splitlines() == [
            "meshtimeout/patient (mesh default) would be created",
            "",
            "Mesh default: 1 of 1 proxies would be told something else, 1 of them connected",
            "",
            "backend-1 (connected)",
            "  ~ cluster localhost:8080",
            "      connectTimeout   10s -> 77s",
        ]
        assert (foretold.status, foretold.err) == (0, "")
        assert user.run("get", "meshtimeout", "patient").status == 4

        assert user.run("apply", "-f", "-", stdin=PATIENT.encode()).status == 0
        eventually("it is told", lambda: sent(daemon) == str(int(before) + 1))


def test_the_policy_of_a_setting_is_explained_and_those_that_lost(tmp_path: Path) -> None:
    with connected(tmp_path) as (_, user):
        assert user.run("apply", "-f", "-", stdin=PATIENT.encode()).status == 0
        ran = user.run("explain", "dataplane", "backend-1", "--inbound", "8080")
        lines = [line.split() for line in ran.out.splitlines()]
        assert ["connectionTimeout", "1m17s", "patient", "rules[0]", "cluster"] in lines
        (lost,) = (line for line in ran.out.splitlines() if line.startswith("      lost"))
        assert "less specific targetRef: Mesh, against Dataplane" in lost
        assert user.run("explain", "dataplane", "gone").status == 4
