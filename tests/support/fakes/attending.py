"""Proxies with Dataplanes at the admission desk of `support.fakes.admission`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.presence import LAG_SECONDS_MAX
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from kong_mesh_cp.usecases.ports.resource_store import Delete
from kong_mesh_cp.usecases.resources.write_rules import Written
from support.fakes.admission import Desk, open_desk
from support.fakes.peers import FakePeer

SERVICE = "kuma.io/service"


def sidecar(name: str = "backend-1", *, mesh: str = "default", **tags: str) -> dict[str, Any]:
    """A Dataplane with one inbound."""
    inbound = {"port": 80, "tags": {SERVICE: "backend", **tags}}
    return _dataplane(name, mesh, {"inbound": [inbound]})


def gateway(name: str = "backend-1", *, mesh: str = "default", **tags: str) -> dict[str, Any]:
    """A Dataplane that takes no counted seat."""
    return _dataplane(name, mesh, {"gateway": {"tags": {SERVICE: "backend", **tags}}})


def _dataplane(name: str, mesh: str, networking: Mapping[str, object]) -> dict[str, Any]:
    return {
        "type": "Dataplane",
        "mesh": mesh,
        "name": name,
        "networking": {"address": "10.0.0.1", **networking},
    }


def registering(dataplane: Mapping[str, Any]) -> bytes:
    return json.dumps({"dataplane": dataplane}).encode()


async def register(
    desk: Desk, dataplane: Mapping[str, Any] | None = None, peer: FakePeer | None = None
) -> HeldSeat:
    """A seat for a proxy that brings its Dataplane."""
    held = await desk.admitting.admit(registering(dataplane or sidecar()), peer or FakePeer())
    assert isinstance(held, HeldSeat), held
    return held


async def apply(desk: Desk, dataplane: Mapping[str, Any]) -> Written:
    """What an operator does with kumactl."""
    given = {key: value for key, value in dataplane.items() if key not in ("type", "mesh", "name")}
    return await desk.api.put("Dataplane", dataplane["name"], mesh=dataplane["mesh"], **given)


async def delete(desk: Desk, name: str = "backend-1", mesh: str = "default") -> None:
    await desk.api.delete("Dataplane", name, mesh=mesh)


async def delete_mesh(desk: Desk, mesh: str = "default") -> None:
    """As under unsafeDelete, and once the directory of meshes knows."""
    await desk.resources.apply([Delete(key=ResourceKey("Mesh", "", mesh))])
    desk.meshes.existing = tuple(name for name in desk.meshes.existing if name != mesh)
    desk.presence.mesh_vanished(mesh)


async def settled() -> None:
    """Return when what was due behind the admissions has been written. Needs a mock clock."""
    await wait_all_tasks_blocked()
    await trio.sleep(2 * LAG_SECONDS_MAX + 0.01)
    await wait_all_tasks_blocked()


def stored(desk: Desk, type_name: str = "Dataplane", mesh: str = "default") -> list[str]:
    """The names of what is there of a type."""
    return [key.name for key in sorted(desk.resources.resources) if key[:2] == (type_name, mesh)]


def document(
    desk: Desk, type_name: str = "Dataplane", name: str = "backend-1", mesh: str = "default"
) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        desk.resources.resources[ResourceKey(type_name, mesh, name)].spec
    )
    return found


def subscriptions(desk: Desk, name: str = "backend-1") -> list[tuple[str, bool]]:
    """The instance and whether it is open, of each subscription; oldest first."""
    if name not in stored(desk, "DataplaneInsight"):
        return []
    listed = document(desk, "DataplaneInsight", name)["subscriptions"]
    return [(each["controlPlaneInstanceId"], "disconnectTime" not in each) for each in listed]


class Connection:
    """The other end of a held seat: what it was told, and whether it was ended."""

    def __init__(self, desk: Desk, held: HeldSeat) -> None:
        self.events: list[dict[str, Any]] = []
        self.ended = False
        self._desk, self._held = desk, held
        desk.seating.attach(held, self._end, self._take)

    def _take(self, line: bytes) -> bool:
        self.events.append(json.loads(line))
        return True

    def _end(self) -> None:
        self.ended = True
        self._desk.seating.release(self._held)


@asynccontextmanager
async def crashed(first: Desk, *, run: str = "run-2") -> AsyncIterator[Desk]:
    """The next run over what `first` left, as if that had been killed."""
    records = tuple(first.store.seats.values())
    async with open_desk(store=first.store, resources=first.resources, run=("this", run)) as desk:
        desk.seating.reserve(records)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.seating.run, records)
            yield desk
            nursery.cancel_scope.cancel()
