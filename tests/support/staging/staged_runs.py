"""What goes wrong while the daemon runs, or does not keep it from starting."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

from support.daemons.daemon import Daemon, eventually
from support.fakes.disks import fill, small_disk
from support.licenses.licenses import TEST_VENDOR, license_document
from support.staging.staging import PID_SHOWN, Said, Scenarios, Stage

RUNS = Scenarios()

DISK_KIB = 512
DESCRIPTORS = 1024  # as a shell allows


@RUNS.called("A global control plane that serves zones in plain text")
def _(stage: Stage) -> Said:
    stage.set(KUMA_MODE="global", KUMA_MULTIZONE_GLOBAL_KDS_TLS_ENABLED="false")
    stage.start()
    return stage.says("zones-in-plain-text")


@RUNS.called("A global control plane that anybody may reach as a zone")
def _(stage: Stage) -> Said:
    stage.set(KUMA_MODE="global")
    stage.start()
    return stage.says("zones-prove-nothing")


@RUNS.called("A zone that believes any global control plane")
def _(stage: Stage) -> Said:
    stage.set(
        KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS="grpcs://127.0.0.1:1",
        KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY="true",
    )
    stage.start()
    return stage.says("global-not-verified")


@RUNS.called("A zone that does not find its global control plane")
def _(stage: Stage) -> Said:
    stage.set(KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS="grpcs://127.0.0.1:1")
    daemon = stage.start()
    eventually("it is said", lambda: "global-lost: " in daemon.stderr)
    return stage.says("global-lost")


@RUNS.called("A zone under another name than before")
def _(stage: Stage) -> Said:
    daemon = stage.start()
    eventually("the zone", lambda: daemon.api("GET", "/zones/default").status == 200)
    daemon.stop()
    stage.set(KUMA_MULTIZONE_ZONE_NAME="east")
    stage.start()
    return stage.says("zone-removed")


@RUNS.called("A license that ends soon")
def _(stage: Stage) -> Said:
    end = datetime.now(UTC) + timedelta(days=13)
    stage.put_license(license_document(expires=f"{end:%Y-%m-%d}"))
    stage.show(f"{end:%Y-%m-%d}T00:00:00Z", "2026-12-04T00:00:00Z")
    stage.show("11 days left", "12 days left")  # when midnight passes before the daemon looks
    stage.start()
    return stage.says("license-expires-soon")


@RUNS.called("More proxies than the license allows")
def _(stage: Stage) -> Said:
    stage.put_license(license_document(dataplanes=2))
    daemon = stage.start()
    for number in range(1, 4):
        stage.open.enter_context(daemon.seat(f"backend-{number}"))
    return stage.says("license-over-limit")


@RUNS.called("More proxies than the pre-bundled license allows")
def _(stage: Stage) -> Said:
    daemon = stage.start()
    for number in range(1, 6):
        stage.open.enter_context(daemon.seat(f"backend-{number}"))
    assert not daemon.seat("backend-6").admitted
    stage.show(f"pid {os.getpid()} uid {os.geteuid()}", f"pid {PID_SHOWN} uid 1000")
    return stage.says("admission-refused")


@RUNS.called("More proxies in a mesh than its quota")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.set(KMESH_ADMISSION_MESH_QUOTAS="default=2")
    daemon = stage.start()
    for number in range(1, 3):
        stage.open.enter_context(daemon.seat(f"backend-{number}"))
    assert not daemon.seat("backend-3").admitted
    stage.show(f"pid {os.getpid()} uid {os.geteuid()}", f"pid {PID_SHOWN} uid 1000")
    return stage.says("admission-refused")


@RUNS.called("Two sources with different licenses")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.set(KMESH_LICENSE_INLINE=license_document(dataplanes=5).decode())
    stage.start()
    return stage.says("license-sources-conflict")


@RUNS.called("A license for tests")
def _(stage: Stage) -> Said:
    stage.put_license(license_document(TEST_VENDOR))
    stage.start()
    return stage.says("license-test-key")


@RUNS.called("A license file that is not private")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.license.chmod(0o644)
    stage.start()
    return stage.says("license-file-untidy")


@RUNS.called("A clock that was set back")
def _(stage: Stage) -> Said:
    stage.set_clock_back(days=400)
    stage.put_license()
    stage.start()
    return stage.says("license-clock-suspect")


@RUNS.called("A broken license while the daemon runs")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.start()
    stage.put_license(b"")
    return stage.says("license-not-json")


@RUNS.called("An expired license while the daemon runs")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.start()
    stage.put_license(license_document(expires="2023-11-09"))
    return stage.says("license-expired")


@RUNS.called("The license file named by its path is removed")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.start()
    stage.license.unlink()
    return stage.says("license-path-not-found")


@RUNS.called("`/etc/kong-mesh/license.json` is removed")
def _(stage: Stage) -> Said:
    stage.hand_over_license()
    stage.start()
    stage.license.unlink()
    return stage.says("license-source-gone").at(r"proxies until (.*?)\)", "2026-12-22T00:00:00Z")


@RUNS.called("A smaller license than before")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.start()
    stage.put_license(license_document(dataplanes=5, expires="2030-01-01"))
    return stage.says("license-reduced")


@RUNS.called("A full disk")
def _(stage: Stage) -> Said:
    stage.daemon.state.parent.mkdir()
    disk = stage.open.enter_context(small_disk(stage.daemon.state, DISK_KIB))
    stage.put_license()
    daemon = stage.start()
    fill(disk)
    stage.open.enter_context(daemon.seat("backend-1"))
    return stage.says("seats-not-recorded")


@RUNS.called("A full disk, and proxies that have a Dataplane")
def _(stage: Stage) -> Said:
    stage.daemon.state.parent.mkdir()
    disk = stage.open.enter_context(small_disk(stage.daemon.state, DISK_KIB))
    stage.put_license()
    daemon = stage.start()
    _await_default_mesh(daemon)
    inbound = {"port": 80, "tags": {"kuma.io/service": "backend"}}
    networking = {"address": "127.0.0.1", "inbound": [inbound]}
    resource = {"type": "Dataplane", "mesh": "default", "name": "backend-1"}
    body = json.dumps({**resource, "networking": networking}).encode()
    headers = {"Content-Type": "application/json"}
    made = daemon.api("PUT", "/meshes/default/dataplanes/backend-1", headers, body)
    assert made.status == 201, made.body
    fill(disk)
    stage.open.enter_context(daemon.seat("backend-1"))
    return stage.says("proxies-not-recorded")


@RUNS.called("A mesh whose signing key is gone")
def _(stage: Stage) -> Said:
    stage.put_license()
    daemon = stage.start()
    _await_default_mesh(daemon)
    key = "/meshes/default/secrets/dataplane-token-signing-key-default-1"
    assert daemon.api("DELETE", key).status == 200
    stage.open.enter_context(daemon.seat("backend-1"))
    return stage.says("token-not-issued")


@RUNS.called("Fewer file descriptors than connections")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.daemon.wrapper = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    stage.start()
    return stage.says("descriptors-few")


def _await_default_mesh(daemon: Daemon) -> None:
    path = "/meshes/default"
    eventually("the default mesh", lambda: daemon.api("GET", path).status == 200)
