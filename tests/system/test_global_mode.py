"""A global control plane from outside: what it makes, what may be written, who may not join."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kong_mesh_cp.core.identity.ca import builtin_ca
from support.daemons.daemon import Answer, Daemon, eventually, running
from support.daemons.kumactl_runs import User
from support.daemons.terraform import Json, Provider
from support.fakes.identity import pem, rsa_key

pytestmark = pytest.mark.system

GLOBAL = {"KUMA_MODE": "global"}
ON_GLOBAL = (
    "On global control plane you can not modify dataplane resources with 'kumactl apply' or via the"
    " HTTP API. You can still use 'kumactl' or the HTTP API to modify them on the zone control"
    " plane.\n"
)
ON_ZONE = (
    "On zone control plane you can only modify zone resources with 'kumactl apply' or via the HTTP"
    " API. You can still use 'kumactl' or the HTTP API to modify the rest of the resource on the"
    " global control plane.\n"
)
ELSEWHERE = {"Host": "mesh.example"}  # as somebody on another machine would ask
TERRAFORM_WAITS_FOR = (
    "default AccessRole created",
    "default AccessRoleBinding created",
    "saving generated Admin User Token",
)
PERMISSION = {
    "from": [
        {
            "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
            "default": {"action": "Allow"},
        }
    ]
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("d"), environment=GLOBAL) as started:
        eventually("all that a start makes", lambda: "admin-token: saving" in started.stderr)
        yield started


def put(daemon: Daemon, path: str, type_name: str, **body: object) -> Answer:
    document: dict[str, object] = {"type": type_name, "name": path.rpartition("/")[2], **body}
    if path.startswith("/meshes/") and path.count("/") > 2:
        document["mesh"] = path.split("/")[2]
    sent = json.dumps(document).encode()
    return daemon.api("PUT", path, {"Content-Type": "application/json"}, sent)


def names(daemon: Daemon, path: str) -> list[str]:
    items = daemon.api("GET", path).json["items"]
    assert isinstance(items, list)
    return [item["name"] for item in items]


def test_a_first_start_makes_no_zone_and_names_what_zones_get(daemon: Daemon) -> None:
    assert "default" in names(daemon, "/meshes")
    assert names(daemon, "/hostnamegenerators") == [
        "synced-headless-kube-mesh-service",
        "synced-kube-mesh-service",
        "synced-mesh-external-service",
        "synced-mesh-multi-zone-service",
        "synced-universal-mesh-service",
    ]
    assert "zone-token-signing-key-1" in names(daemon, "/global-secrets")
    assert "default" not in names(daemon, "/zones")


def test_a_start_says_where_zones_connect(daemon: Daemon) -> None:
    (line,) = [line for line in daemon.stderr.splitlines() if "ready: " in line]
    assert "zones grpcs://" in line
    assert daemon.api("GET", "/config").json["mode"] == "global"


@pytest.mark.parametrize(
    ("path", "type_name"),
    [
        ("/meshes/default/dataplanes/a", "Dataplane"),
        ("/meshes/default/meshservices/a", "MeshService"),
        ("/zone-ingresses/a", "ZoneIngress"),
        ("/zoneegresses/a", "ZoneEgress"),
        ("/zone-insights/a", "ZoneInsight"),
        ("/meshes/default/dataplane-insights/a", "DataplaneInsight"),
    ],
)
def test_what_comes_from_zones_is_written_there(daemon: Daemon, path: str, type_name: str) -> None:
    for answer in (put(daemon, path, type_name), daemon.api("DELETE", path)):
        shown = answer.json
        assert (answer.status, shown["title"], shown["detail"]) == (
            405,
            "Method not allowed",
            ON_GLOBAL,
        )


def test_what_is_written_has_the_label_of_its_mesh_and_no_other(daemon: Daemon) -> None:
    path = "/meshes/default/meshtrafficpermissions/a"
    assert put(daemon, path, "MeshTrafficPermission", spec=PERMISSION).status == 201
    assert daemon.api("GET", path).json["labels"] == {"kuma.io/mesh": "default"}
    assert put(daemon, "/global-secrets/a", "GlobalSecret", data="YQ==").status == 201
    assert "labels" not in daemon.api("GET", "/global-secrets/a").json


def test_zones_are_made_and_removed_here(daemon: Daemon, tmp_path: Path) -> None:
    user = User(tmp_path, f"http://{daemon.addresses['api'].removeprefix('http://')}")
    zone = b"type: Zone\nname: east\nenabled: true\n"
    applied = user.run("apply", "-f", "-", stdin=zone)
    assert (applied.status, applied.err) == (0, "")
    overview = daemon.api("GET", "/zones/_overview").json
    assert overview["total"] == 1
    shown = daemon.api("GET", "/zones/east/_overview").json
    assert (shown["type"], shown["zone"]) == ("ZoneOverview", {"enabled": True})
    inspected = user.run("inspect", "zones")
    assert inspected.out.splitlines()[1].split()[:2] == ["east", "Offline"]
    assert user.run("delete", "zone", "east").status == 0
    assert names(daemon, "/zones") == []


def test_kumactl_says_what_is_written_on_zones(daemon: Daemon, tmp_path: Path) -> None:
    user = User(tmp_path, f"http://{daemon.addresses['api'].removeprefix('http://')}")
    dataplane = (
        b"type: Dataplane\nmesh: default\nname: a\nnetworking:\n  address: 127.0.0.1\n"
        b'  inbound: [{port: 80, tags: {"kuma.io/service": a}}]\n'
    )
    applied = user.run("apply", "-f", "-", stdin=dataplane)
    assert applied.status != 0
    assert "On global control plane you can not modify dataplane resources" in applied.err


def test_what_is_exported_here_can_be_applied_to_a_zone(daemon: Daemon, tmp_path: Path) -> None:
    here = User(tmp_path / "here", f"http://{daemon.addresses['api'].removeprefix('http://')}")
    assert put(daemon, "/meshes/shared", "Mesh").status == 201
    path = "/meshes/shared/meshtrafficpermissions/a"
    assert put(daemon, path, "MeshTrafficPermission", spec=PERMISSION).status == 201
    exported = here.run("export", "--profile", "federation-with-policies")
    assert exported.status == 0, exported.err
    with running(tmp_path / "zone") as zone:
        eventually("all that a start makes", lambda: "admin-token: saving" in zone.stderr)
        there = User(tmp_path / "there", f"http://{zone.addresses['api'].removeprefix('http://')}")
        applied = there.run("apply", "-f", "-", stdin=exported.out.encode())
        assert applied.status == 0, applied.err
        assert zone.api("GET", path).json["spec"] == daemon.api("GET", path).json["spec"]
        assert names(zone, "/meshes/shared/meshtimeouts") == names(
            daemon, "/meshes/shared/meshtimeouts"
        )


def test_no_configuration_of_a_proxy_is_shown(daemon: Daemon) -> None:
    answer = daemon.api("GET", "/meshes/default/dataplanes/a/_config")
    assert (answer.status, answer.json["detail"]) == (405, "Not allowed on global CP")


def test_the_tables_of_types_are_those_of_a_control_plane_that_writes(daemon: Daemon) -> None:
    listed = daemon.api("GET", "/_resources").json["resources"]
    assert isinstance(listed, list)
    read_only = {each["name"] for each in listed if each["readOnly"]}
    assert read_only == {
        "DataplaneInsight",
        "MeshInsight",
        "ServiceInsight",
        "ZoneEgressInsight",
        "ZoneIngressInsight",
        "ZoneInsight",
    }


def test_no_proxy_joins(daemon: Daemon) -> None:
    with daemon.seat("backend-1") as refused:
        assert refused.status == 403
        assert refused.first["code"] == "global-control-plane"
        assert "KUMA_MODE=zone" in refused.first["hint"]
    assert daemon.api("GET", "/license").json["activeDataplaneProxies"] == 0


def provided_authority() -> tuple[str, str]:
    """The `data` of two Secrets: certificate and key."""
    key = rsa_key(1)
    certificate = builtin_ca("m", key, serial=1, now=datetime.now(UTC), validity=timedelta(days=1))
    return base64.b64encode(certificate).decode(), base64.b64encode(pem(1)).decode()


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """As Kong Mesh is out of the box: roles, which let everybody do everything."""
    environment = {**GLOBAL, "KUMA_ACCESS_TYPE": "rbac"}
    with running(tmp_path_factory.mktemp("r"), environment=environment) as started:
        for line in TERRAFORM_WAITS_FOR:
            eventually(line, lambda: line in started.stderr)  # noqa: B023 (called at once)
        yield started


def test_the_acceptance_scenario_of_terraform_as_administrator(daemon: Daemon) -> None:
    accept(Provider(daemon))


def test_the_acceptance_scenario_of_terraform_with_a_token_from_elsewhere(
    open_to_all: Daemon,
) -> None:
    data = open_to_all.api("GET", "/global-secrets/admin-user-token").json["data"]
    assert isinstance(data, str)
    token = {"Authorization": f"Bearer {base64.b64decode(data).decode()}"}
    accept(Provider(open_to_all, headers={**ELSEWHERE, **token}))


def test_where_roles_let_everybody_do_everything_terraform_needs_no_token(
    open_to_all: Daemon,
) -> None:
    accept(Provider(open_to_all, headers=ELSEWHERE))


def accept(provider: Provider) -> None:
    """What the provider does in its acceptance test (docs/wire/clients.md#terraform-provider)."""
    accept_meshes(provider)
    accept_policies(provider)
    accept_authorities(provider)
    provider.delete("/meshes/tf")


def accept_meshes(provider: Provider) -> None:
    mesh = {"type": "Mesh", "name": "tf"}
    path = "/meshes/tf"
    provider.create(path, mesh)
    assert names(provider.daemon, f"{path}/meshtimeouts") == []
    constrained = {
        **mesh,
        "constraints": {
            "dataplaneProxy": {"requirements": [{"tags": {"key": "a"}}], "restrictions": []}
        },
    }
    routing = {"routing": {"defaultForbidMeshExternalServiceAccess": True}}
    provider.update(path, {**constrained, **routing})
    provider.update(path, constrained)
    emptied: Json = {"constraints": {"dataplaneProxy": {"requirements": [], "restrictions": []}}}
    provider.update(path, {**mesh, **emptied})
    provider.delete(path)


def accept_policies(provider: Provider) -> None:
    path = "/meshes/tf"
    provider.create(path, {"type": "Mesh", "name": "tf"})
    policy = {
        "type": "MeshTrafficPermission",
        "mesh": "tf",
        "name": "allow",
        "labels": {},
        "spec": PERMISSION,
    }
    allow = f"{path}/meshtrafficpermissions/allow"
    provider.create(allow, policy)
    provider.planned_empty(allow, policy)
    provider.delete(allow)


def accept_authorities(provider: Provider) -> None:
    path, mesh = "/meshes/tf", {"type": "Mesh", "name": "tf"}
    for name, data in zip(("scert", "skey"), provided_authority(), strict=True):
        secret = {"type": "Secret", "mesh": "tf", "name": name, "data": data}
        provider.create(f"{path}/secrets/{name}", secret)
    conf = {"cert": {"secret": "scert"}, "key": {"secret": "skey"}}
    backend = {"name": "ca-1", "type": "provided", "conf": conf}
    mtls = {"mtls": {"enabledBackend": "ca-1", "backends": [backend]}}
    provider.update(path, {**mesh, **mtls})
    provider.update(path, mesh)
    for name in ("scert", "skey"):
        provider.delete(f"{path}/secrets/{name}")


@pytest.mark.parametrize(
    ("path", "type_name", "status"),
    [
        ("/meshes/m", "Mesh", 405),
        ("/zones/other", "Zone", 201),
        ("/access-roles/a", "AccessRole", 201),
        ("/global-secrets/a", "GlobalSecret", 201),
        ("/hostnamegenerators/a", "HostnameGenerator", 400),
        ("/meshes/m/traffic-permissions/a", "TrafficPermission", 405),
        ("/meshes/m/external-services/a", "ExternalService", 405),
        ("/meshes/m/meshmultizoneservices/a", "MeshMultiZoneService", 405),
        ("/meshes/m/dataplanes/a", "Dataplane", 404),
        ("/meshes/m/secrets/a", "Secret", 404),
        ("/meshes/m/meshtimeouts/a", "MeshTimeout", 404),
    ],
)
def test_a_zone_of_a_global_control_plane_writes_what_comes_from_zones(
    federated: Daemon, path: str, type_name: str, status: int
) -> None:
    """404: it would be written, but its mesh has to come from the global control plane."""
    answer = put(federated, path, type_name)
    assert answer.status == status, answer
    if status == 405:
        assert answer.json["detail"] == ON_ZONE


@pytest.fixture(scope="module")
def federated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    environment = {
        "KUMA_MULTIZONE_ZONE_NAME": "east",
        "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": "grpcs://127.0.0.1:1",
    }
    with running(tmp_path_factory.mktemp("f"), environment=environment) as started:
        eventually("all that a start makes", lambda: "admin-token: saving" in started.stderr)
        yield started


def test_a_zone_of_a_global_control_plane_has_no_mesh_and_no_key_of_its_own(
    federated: Daemon,
) -> None:
    assert names(federated, "/meshes") == []
    assert "east" in names(federated, "/zones")
    assert "zone-token-signing-key-1" not in names(federated, "/global-secrets")
    assert federated.api("GET", "/").json["gui"] == ""
    assert federated.api("GET", "/gui").status == 200
    eventually("it is said", lambda: "global-lost: " in federated.stderr)
    listed = federated.api("GET", "/_resources").json["resources"]
    assert isinstance(listed, list)
    assert all(each["readOnly"] for each in listed)
