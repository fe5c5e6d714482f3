"""`kumactl export`: what it prints can be applied elsewhere, in its order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.daemons.kuma_api import Asked, Plane, Reply, api
from support.daemons.kumactl_runs import User

RESOURCES: list[dict[str, Any]] = [
    {"type": "GlobalSecret", "name": "user-token-signing-key-1", "data": "YQ=="},
    {"type": "GlobalSecret", "name": "zone-token-signing-key-1", "data": "YQ=="},
    {"type": "GlobalSecret", "name": "envoy-admin-ca", "data": "YQ=="},
    {"type": "GlobalSecret", "name": "inter-cp-ca", "data": "YQ=="},
    {"type": "Mesh", "name": "payments", "routing": {"zoneEgress": True}},
    {"type": "Mesh", "name": "default"},
    {"type": "Dataplane", "mesh": "default", "name": "d", "networking": {}},
    {"type": "DataplaneInsight", "mesh": "default", "name": "d"},
    {"type": "Secret", "mesh": "payments", "name": "s", "data": "YQ=="},
    {"type": "TrafficLog", "mesh": "default", "name": "old"},
    {"type": "MeshGateway", "mesh": "default", "name": "edge", "conf": {}},
    {
        "type": "MeshTimeout",
        "mesh": "default",
        "name": "new",
        "labels": {"kuma.io/origin": "zone", "kuma.io/mesh": "default"},
        "spec": {},
    },
]


def _plane() -> Plane:
    plane = Plane()
    for resource in RESOURCES:
        plane.put(resource)
    return plane


def _exported(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


DECLARED = ["Mesh/default", "Mesh/payments"]
MESHES = DECLARED
FEDERATION = [
    *DECLARED,
    "Secret/s",
    *MESHES,
    "TrafficLog/old",
    "GlobalSecret/zone-token-signing-key-1",
    "GlobalSecret/user-token-signing-key-1",
]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("", FEDERATION),
        (
            "--profile federation-with-policies",
            [*FEDERATION[:5], "MeshGateway/edge", "MeshTimeout/new", *FEDERATION[5:]],
        ),
        (
            "--profile all",
            [
                *(*DECLARED, *MESHES, "Dataplane/d"),
                *("MeshGateway/edge", "MeshTimeout/new", "TrafficLog/old"),
            ],
        ),
        (
            "-p no-dataplanes",
            [*DECLARED, *MESHES, "MeshGateway/edge", "MeshTimeout/new", "TrafficLog/old"],
        ),
        (
            "-p no-dataplanes -a",
            [*FEDERATION[:5], "MeshGateway/edge", "MeshTimeout/new", *FEDERATION[5:]],
        ),
    ],
)
def test_a_profile_says_what_is_exported_and_the_order_can_be_applied(
    argv: str, expected: list[str], tmp_path: Path
) -> None:
    with api(_plane()) as server:
        ran = User(tmp_path, server.url).run("export", *argv.split())

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("# Product: Kong Mesh, Version: 2.10.11, Hostname: cp-host, ")
    assert [f"{each['type']}/{each['name']}" for each in _exported(ran.out)] == expected


def test_a_mesh_is_declared_without_policies_and_comes_whole_behind_its_secrets(
    tmp_path: Path,
) -> None:
    with api(_plane()) as server:
        ran = User(tmp_path, server.url).run("export")

    meshes = [each for each in _exported(ran.out) if each["type"] == "Mesh"]
    bare = {"type": "Mesh", "skipCreatingInitialPolicies": ["*"]}
    assert meshes == [
        {**bare, "name": "default"},
        {**bare, "name": "payments"},
        {"type": "Mesh", "name": "default"},
        {"type": "Mesh", "name": "payments", "routing": {"zoneEgress": True}},
    ]


def test_what_is_exported_and_applied_at_once_changes_nothing(tmp_path: Path) -> None:
    plane = _plane()
    with api(plane) as server:
        user = User(tmp_path, server.url)
        before = {path: dict(each) for path, each in plane.resources.items()}
        text = user.run("export", "-p", "all", "-a").out.encode()
        foretold = user.run("apply", "--dry-run", "-f", "-", stdin=text)
        applied = user.run("apply", "-f", "-", stdin=text)

    times = {"creationTime": plane.now, "modificationTime": plane.now}
    assert foretold == applied
    assert (applied.status, applied.err) == (0, "")
    assert all(line.endswith(" unchanged") for line in applied.out.splitlines())
    assert plane.resources == {
        path: {**each, **times} if path in _sent(server.asked) else each
        for path, each in before.items()
    }


def _sent(asked: list[Asked]) -> set[str]:
    return {each.path for each in asked if each.method == "PUT" and not each.query}


def test_the_origin_of_a_zone_stays_behind_when_its_resources_move(tmp_path: Path) -> None:
    with api(_plane()) as server:
        user = User(tmp_path, server.url)
        moved = _exported(user.run("export", "-p", "federation-with-policies").out)
        kept = _exported(user.run("export", "-p", "all").out)

    labels = {"kuma.io/mesh": "default"}
    assert [each["labels"] for each in moved if each["type"] == "MeshTimeout"] == [labels]
    assert [each["labels"] for each in kept if each["type"] == "MeshTimeout"] == [
        {**labels, "kuma.io/origin": "zone"}
    ]


def test_an_export_can_be_applied_to_another_control_plane(tmp_path: Path) -> None:
    other = Plane()
    with api(_plane()) as source, api(other) as target:
        text = User(tmp_path / "a", source.url).run("export", "-p", "all", "-a").out
        ran = User(tmp_path / "b", target.url).run("apply", "-f", "-", stdin=text.encode())

    assert (ran.status, ran.err) == (0, "")
    names = {resource["name"] for resource in RESOURCES} - {"envoy-admin-ca", "inter-cp-ca"}
    assert {resource["name"] for resource in other.resources.values()} == names


def test_the_kubernetes_form_is_asked_for_item_by_item(tmp_path: Path) -> None:
    plane = _plane()

    def answer(asked: Asked) -> Reply:
        if ("format", "kubernetes") not in asked.query:
            return plane(asked)
        found = plane.resources[asked.path]
        metadata: dict[str, Any] = {"name": found["name"], "uid": "u", "generation": 3}
        if found["type"] == "TrafficLog":
            metadata["namespace"] = "elsewhere"
        if "labels" in found:
            metadata["labels"] = found["labels"]
        document = {"apiVersion": "kuma.io/v1alpha1", "kind": found["type"], "metadata": metadata}
        return Reply(body={**document, "spec": {"routing": found.get("routing", {})}})

    with api(answer) as server:
        argv = ("export", "--format", "kubernetes", "-p", "federation-with-policies")
        ran = User(tmp_path, server.url).run(*argv)

    exported = {each["metadata"]["name"]: each for each in _exported(ran.out)}
    assert ran.status == 0
    assert "old" not in exported
    assert exported["payments"] == {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "Mesh",
        "metadata": {"name": "payments"},
        "spec": {"routing": {"zoneEgress": True}, "skipCreatingInitialPolicies": ["*"]},
    }
    assert exported["new"]["metadata"]["labels"] == {"kuma.io/mesh": "default"}


def test_types_that_only_the_server_knows_are_named(tmp_path: Path) -> None:
    plane = _plane()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/_resources":
            return Reply(body={"resources": [{"name": "MeshTomorrow", "path": "meshtomorrows"}]})
        return plane(asked)

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("export")

    assert ran.status == 0
    assert "WARNING: types that this kumactl does not know are left out: MeshTomorrow" in ran.err
    assert _exported(ran.out) == []
