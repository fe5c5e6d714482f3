"""A whole admission desk for tests: ledger, rules, recorder and license, without a socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import trio

from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.identity import IdentityRules, Rule
from kong_mesh_cp.core.admission.ledger import SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.resources.kinds.mesh import Membership, ProxyConstraints
from kong_mesh_cp.usecases.admitting import Admitting, HeldSeat
from kong_mesh_cp.usecases.license_views import WarningView
from kong_mesh_cp.usecases.recording import SeatRecorder
from kong_mesh_cp.usecases.resource_ports import SeatSlots
from kong_mesh_cp.usecases.shared_seats import SharedSeats
from support.fake_store import FakeStateStore
from support.peers import FakePeer

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class FakeLicense:
    """A license in force that says what it is told."""

    limit: int = 5
    refuses: bool = True
    told: list[WarningView] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)  # for warnings at so many active seats

    def seat_policy(self) -> SeatPolicy:
        return SeatPolicy(self.limit, refuse_when_full=self.refuses, demo=self.refuses)

    def admission_license(self, active: int) -> Mapping[str, object]:
        return {"allowed": self.limit, "active": active, "daysLeft": 29, "demo": self.refuses}

    def warnings(self, active: int) -> Sequence[WarningView]:
        self.asked.append(active)
        over = [WarningView("over-limit", f"{active} of {self.limit}", NOON)]
        return self.told + (over if active > self.limit else [])


@dataclass
class FakeMeshes:
    existing: tuple[str, ...] = ("default", "other")
    constrained: dict[str, ProxyConstraints] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        return self.existing

    def constraints(self, mesh: str) -> ProxyConstraints | None:
        return self.constrained.get(mesh)


@dataclass
class Desk:
    admitting: Admitting
    license: FakeLicense
    store: FakeStateStore
    recorder: SeatRecorder
    meshes: FakeMeshes
    now: list[datetime]  # of one element: set it to move the wall clock


@asynccontextmanager
async def open_desk(
    *,
    limit: int = 5,
    refuses: bool = True,
    rules: Sequence[Rule] = (),
    store: FakeStateStore | None = None,
    closed: Refused | None = None,
    slots: SeatSlots | None = None,
    known: Sequence[SeatRecord] = (),
) -> AsyncIterator[Desk]:
    """A desk whose recorder runs. Limit and refusing are those of the license.

    With `slots` seats are counted there, too; `known` are then remembered from before.
    """
    now = [NOON]
    store = store or FakeStateStore()
    recorder = SeatRecorder(store)
    in_force = FakeLicense(limit, refuses)
    meshes = FakeMeshes()
    ledger = SeatLedger()
    shared = None if slots is None else SharedSeats(slots, ledger, in_force)
    admitting = Admitting(
        zone="default",
        ledger=ledger,
        meshes=meshes,
        rules=IdentityRules(rules, machine_id="0123456789abcdef0123456789abcdef"),
        license_in_force=in_force,
        recorder=recorder,
        wall_clock=lambda: now[0],
        closed=closed,
        shared=shared,
    )
    if shared is not None:
        recorder.told = shared.changed
        admitting.reserve(await shared.begin(known))
    async with trio.open_nursery() as nursery:
        if shared is not None:
            nursery.start_soon(shared.run)
        nursery.start_soon(recorder.run)
        yield Desk(admitting, in_force, store, recorder, meshes, now)
        nursery.cancel_scope.cancel()


def proxies(
    *, require: Sequence[Mapping[str, str]] = (), forbid: Sequence[Mapping[str, str]] = ()
) -> ProxyConstraints:
    """The constraints of a mesh."""
    return ProxyConstraints(
        requirements=tuple(Membership(tags=tags) for tags in require),
        restrictions=tuple(Membership(tags=tags) for tags in forbid),
    )


def body(name: str = "backend-1", *, mesh: str = "default", **tags: str) -> bytes:
    """The short form of a request."""
    return json.dumps({"mesh": mesh, "name": name, "tags": tags}).encode()


def gateway_body(name: str = "gateway-1") -> bytes:
    """A Dataplane that takes no counted seat."""
    networking = {"address": "10.0.0.1", "gateway": {"type": "BUILTIN", "tags": {}}}
    resource = {
        "type": "Dataplane",
        "mesh": "default",
        "name": name,
        "networking": networking,
    }
    return json.dumps({"dataplane": resource}).encode()


def seat(name: str, mesh: str = "default") -> SeatId:
    return SeatId("default", mesh, name)


async def take(desk: Desk, name: str = "backend-1", peer: FakePeer | None = None) -> HeldSeat:
    held = await desk.admitting.admit(body(name), peer or FakePeer())
    assert isinstance(held, HeldSeat), held
    return held


async def refused(desk: Desk, asked: bytes, peer: FakePeer | None = None) -> Refused:
    answer = await desk.admitting.admit(asked, peer or FakePeer())
    assert isinstance(answer, Refused)
    return answer


def line_of(held: HeldSeat | bytes | Refused) -> dict[str, Any]:
    line = held.line if isinstance(held, HeldSeat) else held
    assert isinstance(line, bytes)
    assert line.endswith(b"}\n")
    decoded: dict[str, Any] = json.loads(line)
    return decoded
