"""What is said of insights and of proxies that are not there, while the daemon runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import Put
from support.daemons.daemon import eventually
from support.fakes.disks import fill, small_disk
from support.staging.staging import Said, Scenarios, Stage

UPKEEP = Scenarios()

DISK_KIB = 640
DATAPLANE = {"networking": {"inbound": [{"port": 80, "tags": {"kuma.io/service": "backend"}}]}}
CONNECTED = {"id": "1", "connectTime": "2026-11-01T00:00:00Z"}
ENDED = {**CONNECTED, "disconnectTime": "2026-11-18T22:39:00Z"}


@UPKEEP.called("Insights that cannot be written")
def _(stage: Stage) -> Said:
    stage.daemon.state.parent.mkdir()
    disk = stage.open.enter_context(small_disk(stage.daemon.state, DISK_KIB))
    stage.put_license()
    stage.set(KUMA_METRICS_MESH_MIN_RESYNC_INTERVAL="2s")
    daemon = stage.start()
    eventually("insights", lambda: daemon.api("GET", "/mesh-insights").json["total"] == 1)
    retry = {"targetRef": {"kind": "Mesh"}, "default": {"tcp": {"maxConnectAttempt": 2}}}
    body = {"type": "MeshRetry", "mesh": "default", "name": "more", "spec": {"to": [retry]}}
    answer = daemon.api(
        "PUT",
        "/meshes/default/meshretries/more",
        {"Content-Type": "application/json"},
        json.dumps(body).encode(),
    )
    assert answer.status == 201
    fill(disk)
    return stage.says("insights-not-kept")


@UPKEEP.called("A control plane that died, with proxies that did not come back")
def _(stage: Stage) -> Said:
    trio.run(partial(_left_behind, stage, CONNECTED))
    stage.put_license()
    stage.set(KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT="500ms")
    stage.start()
    return stage.says("connections-closed")


@UPKEEP.called("A proxy that stays away")
def _(stage: Stage) -> Said:
    trio.run(partial(_left_behind, stage, ENDED))
    stage.put_license()
    stage.set(KUMA_RUNTIME_UNIVERSAL_DATAPLANE_CLEANUP_AGE="500ms")
    daemon = stage.start()
    said = stage.says("proxy-removed")
    assert daemon.api("GET", "/meshes/default/dataplanes/backend-1").status == 404
    return said


@UPKEEP.called("A mesh whose authority ends soon")
def _(stage: Stage) -> Said:
    stage.put_license()
    daemon = stage.start()
    conf = {"caCert": {"expiration": "4d"}}
    backends = [{"name": "ca-1", "type": "builtin", "conf": conf}]
    body = {
        "type": "Mesh",
        "name": "shop",
        "mtls": {"enabledBackend": "ca-1", "backends": backends},
    }
    headers = {"Content-Type": "application/json"}
    answer = daemon.api("PUT", "/meshes/shop", headers, json.dumps(body).encode())
    assert answer.status == 201
    assert "ends in 3 days" in answer.body.decode()
    return stage.says("mesh-ca-ends-soon").at(r", at (\S+): from", "2026-11-25T22:39:00Z")


async def _left_behind(stage: Stage, subscription: object) -> None:
    """A proxy with one connection, as an earlier run has left it in the store."""
    stage.daemon.state.mkdir(parents=True)
    mesh = ResourceKey("Mesh", "", "default")
    documents = {
        mesh: {},
        ResourceKey("Dataplane", "default", "backend-1"): DATAPLANE,
        ResourceKey("DataplaneInsight", "default", "backend-1"): {"subscriptions": [subscription]},
    }
    puts = [
        Put(
            key=key,
            spec=json.dumps(document),
            at=datetime.now(UTC),
            owner=None if key == mesh else mesh,
        )
        for key, document in documents.items()
    ]
    async with open_store(stage.daemon.state / "store.db") as store:
        await store.resources.apply(puts)
