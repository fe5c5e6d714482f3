"""`kumactl rotate ca` goes as far as the proxies are, and goes on where it was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.daemons.kuma_api import Asked, Plane, Reply, api, refusal
from support.daemons.kumactl_runs import Ran, User

OLD = {"name": "ca-1", "type": "builtin", "mode": "PERMISSIVE"}
NEW = {**OLD, "name": "ca-2"}
TRUST = (
    '1 of 2 connected proxies (web-1) do not trust "ca-2" yet. They are told: write this again'
    " when they do (kumactl rotate ca waits for it)"
)
SHOWN = (
    '2 of 2 connected proxies (web-1, web-2) still show certificates of "ca-1". They get others:'
    " write this again when they have (kumactl rotate ca waits for it)"
)


def mesh(*backends: dict[str, Any], enabled: str = "ca-1") -> dict[str, Any]:
    mtls = {"enabledBackend": enabled, "backends": [*backends]}
    return {"type": "Mesh", "name": "shop", "mtls": mtls, "routing": {"zoneEgress": False}}


class Slow(Plane):
    """Refuses writes of a mesh in the words of the control plane, as often as it is told."""

    def __init__(self, *refusals: tuple[str, str, int]) -> None:
        super().__init__()
        self.refusals = [(field, reason) for field, reason, times in refusals for _ in range(times)]

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "PUT" and self.refusals and self._concerns(asked.json):
            field, reason = self.refusals.pop(0)
            return refusal(400, "Could not update a resource", "Not valid", **{field: reason})
        return super().__call__(asked)

    def _concerns(self, body: dict[str, Any]) -> bool:
        mtls = body["mtls"]
        if self.refusals[0][0] == "mtls.enabledBackend":
            return bool(mtls["enabledBackend"] == "ca-2")
        return len(mtls["backends"]) == 1


def rotate(tmp_path: Path, plane: Plane, *more: str) -> tuple[Ran, User]:
    with api(plane) as server:
        user = User(tmp_path, server.url)
        return user.run("rotate", "ca", "--mesh", "shop", "--to", "ca-2", *more), user


def stored(plane: Plane) -> dict[str, Any]:
    found: dict[str, Any] = plane.resources["/meshes/shop"]["mtls"]
    return found


def test_a_mesh_is_taken_over_step_by_step(tmp_path: Path) -> None:
    plane = Slow(("mtls.enabledBackend", TRUST, 3), ("mtls.backends", SHOWN, 2))
    plane.put(mesh(OLD))
    ran, user = rotate(tmp_path, plane)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        "mesh/shop: ca-2 is made, and trusted beside ca-1\n"
        'mesh/shop: waiting: 1 of 2 connected proxies (web-1) do not trust "ca-2" yet\n'
        "mesh/shop: ca-2 signs: all connected proxies trust it\n"
        "mesh/shop: waiting: 2 of 2 connected proxies (web-1, web-2) still show certificates of"
        ' "ca-1"\n'
        "mesh/shop: ca-1 is trusted no longer: no proxy shows a certificate of it\n"
        "Its key is kept until you delete it: kumactl delete secret shop.ca-builtin-key-ca-1"
        " --mesh shop\n"
    )
    assert stored(plane) == {"enabledBackend": "ca-2", "backends": [NEW]}
    assert user.slept == [1.0] * 5


def test_nothing_else_of_the_mesh_is_touched(tmp_path: Path) -> None:
    plane = Plane()
    plane.put(mesh(OLD))
    rotate(tmp_path, plane)
    assert plane.resources["/meshes/shop"]["routing"] == {"zoneEgress": False}


@pytest.mark.parametrize(
    ("until", "backends", "enabled"),
    [("trusted", [OLD, NEW], "ca-1"), ("signing", [OLD, NEW], "ca-2")],
)
def test_it_stops_where_it_is_told_to(
    tmp_path: Path, until: str, backends: list[Any], enabled: str
) -> None:
    plane = Plane()
    plane.put(mesh(OLD))
    ran, _ = rotate(tmp_path, plane, "--until", until)
    assert ran.status == 0
    assert stored(plane) == {"enabledBackend": enabled, "backends": backends}


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    plane = Plane()
    plane.put(mesh(OLD, NEW, enabled="ca-2"))
    ran, _ = rotate(tmp_path, plane)
    assert ran.out.splitlines()[:3] == [
        "mesh/shop: ca-2 is one of its authorities already",
        "mesh/shop: ca-2 signs already",
        "mesh/shop: ca-1 is trusted no longer: no proxy shows a certificate of it",
    ]
    ran, _ = rotate(tmp_path / "again", plane)
    assert (ran.status, ran.out.splitlines()[-1]) == (
        0,
        "mesh/shop: no other authority is trusted",
    )


def test_it_gives_up_after_its_time_and_says_how_to_go_on(tmp_path: Path) -> None:
    plane = Slow(("mtls.enabledBackend", TRUST, 9))
    plane.put(mesh(OLD))
    ran, user = rotate(tmp_path, plane, "--wait", "3s")
    assert (ran.status, user.slept) == (1, [1.0] * 3)
    assert ran.err == (
        'Error: waited 3s: 1 of 2 connected proxies (web-1) do not trust "ca-2" yet. Nothing is'
        " lost: run this again to go on\n"
    )


def test_what_is_refused_for_another_reason_is_no_reason_to_wait(tmp_path: Path) -> None:
    reason = "has to be set to one of the backends in the mesh"
    plane = Slow(("mtls.enabledBackend", reason, 1))
    plane.put(mesh(OLD))
    ran, user = rotate(tmp_path, plane)
    assert (ran.status, user.slept) == (1, [])
    assert reason in ran.err


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (mesh(OLD, enabled=""), "mTLS of mesh shop is off"),
        (mesh(OLD, {**OLD, "name": "ca-3"}), "(ca-1 and ca-3): finish that first"),
        (mesh({**OLD, "type": "provided"}), "write ca-2 into the mesh beside the one in force"),
    ],
)
def test_where_there_is_no_way_it_says_what_to_do(
    tmp_path: Path, there: dict[str, Any], told: str
) -> None:
    plane = Plane()
    plane.put(there)
    before = json.dumps(stored(plane))
    ran, _ = rotate(tmp_path, plane)
    assert ran.status == 2
    assert told in ran.err
    assert json.dumps(stored(plane)) == before
