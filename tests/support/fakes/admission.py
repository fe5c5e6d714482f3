"""A whole admission desk for tests: ledger, rules, recorder and license, without a socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.attestation import IdentityRules, Rule
from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.ledger import SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.mesh_quotas import NO_QUOTAS, MeshQuotas
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.identity.key_series import dataplane_keys
from kong_mesh_cp.core.identity.refusal_bounds import ADMISSIONS
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import Membership, ProxyConstraints
from kong_mesh_cp.usecases.admission.admissions import Admissions
from kong_mesh_cp.usecases.admission.dataplane_registrar import DataplaneRegistrar
from kong_mesh_cp.usecases.admission.presence import Presence, Services
from kong_mesh_cp.usecases.admission.proxy_directory import ProxyDirectory
from kong_mesh_cp.usecases.admission.proxy_records import ProxyRecords
from kong_mesh_cp.usecases.admission.proxy_tokens import ProxyTokens
from kong_mesh_cp.usecases.admission.registrations import Run
from kong_mesh_cp.usecases.admission.seat_recording import SeatRecorder
from kong_mesh_cp.usecases.admission.seating import RECLAIM_SECONDS, HeldSeat, Seating
from kong_mesh_cp.usecases.admission.shared_seats import SharedSeats
from kong_mesh_cp.usecases.identity.auditing import Refusals
from kong_mesh_cp.usecases.identity.key_secrets import StoredKeySecrets
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.license.views import WarningView
from kong_mesh_cp.usecases.ports.resource_store import Put, SeatSlots
from support.daemons.resource_api import ResourceApi
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.fake_store import FakeStateStore
from support.fakes.key_secrets import numbered_keys
from support.fakes.peers import FakePeer

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
    being_made: trio.Event | None = None

    def names(self) -> Sequence[str]:
        return self.existing

    async def exists(self, mesh: str) -> bool:
        return mesh in self.existing

    def is_awaited(self, mesh: str) -> bool:  # noqa: ARG002
        return self.being_made is not None and not self.being_made.is_set()

    async def made(self, mesh: str) -> None:  # noqa: ARG002
        if self.being_made is not None:
            await self.being_made.wait()

    def constraints(self, mesh: str) -> ProxyConstraints | None:
        return self.constrained.get(mesh)


@dataclass
class Desk:
    admitting: Admissions
    seating: Seating
    license: FakeLicense
    store: FakeStateStore
    recorder: SeatRecorder
    meshes: FakeMeshes
    now: list[datetime]  # of one element: set it to move the wall clock
    api: ResourceApi
    keys: SigningKeys
    presence: Presence
    shared: SharedSeats | None
    refusals: Refusals

    @property
    def resources(self) -> FakeResourceStore:
        assert isinstance(self.api.store, FakeResourceStore)
        return self.api.store


async def furnished() -> FakeResourceStore:
    """A store with the meshes of `FakeMeshes` and the keys of their tokens."""
    resources = FakeResourceStore()
    keys = SigningKeys(StoredKeySecrets(resources, lambda: NOON), numbered_keys())
    for mesh in FakeMeshes().existing:
        await resources.apply([Put(key=ResourceKey("Mesh", "", mesh), spec="{}", at=NOON)])
        await keys.ensure(dataplane_keys(mesh))
    return resources


async def at_once(sign: Callable[[], str]) -> str:
    """For `ProxyTokens`: no thread, because a mock clock would not wait for it."""
    await trio.lowlevel.checkpoint()
    return sign()


def services(
    api: ResourceApi,
    keys: SigningKeys,
    meshes: FakeMeshes,
    run: tuple[str, str],
    *,
    takes_over: bool = False,
) -> Services:
    """`run`: the name of the control plane, and of this run of it."""
    of_run = Run(*run)
    ids = count(1)
    return Services(
        registering=DataplaneRegistrar(
            api.applying,
            api.store,
            meshes,
            run=of_run,
            takes_over=takes_over,
            wall_clock=lambda: api.now,
        ),
        tokens=ProxyTokens(
            keys,
            api.replica,
            wall_clock=lambda: NOON,
            new_id=lambda: f"id-{next(ids)}",
            in_worker_thread=at_once,
        ),
        records=ProxyRecords(
            api.store,
            run=of_run,
            takes_over=takes_over,
            subscriptions_max=2,
            new_id=lambda: f"{of_run.instance}-{next(ids)}",
            wall_clock=lambda: NOON,
        ),
    )


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
    resources: FakeResourceStore | None = None,
    run: tuple[str, str] = ("this", "run-1"),
    serving: bool = True,
    quotas: MeshQuotas = NO_QUOTAS,
) -> AsyncIterator[Desk]:
    """A desk whose recorder runs. Limit and refusing are those of the license.

    With `slots` seats are counted there, too; `known` are then remembered from before. Without
    `serving` it stays a control plane that has not loaded what resources need.
    """
    now = [NOON]
    refusals = Refusals(ADMISSIONS, trio.current_time)
    store = store or FakeStateStore()
    api = ResourceApi(store=resources or await furnished())
    keys = SigningKeys(StoredKeySecrets(api.store, lambda: NOON), numbered_keys())
    recorder = SeatRecorder(store)
    in_force = FakeLicense(limit, refuses)
    meshes = FakeMeshes()
    ledger = SeatLedger(quotas=quotas)
    shared = None if slots is None else SharedSeats(slots, ledger, in_force)
    presence = Presence(ProxyDirectory(api.replica), meshes, zone="default", idle_seconds=300)
    seating = Seating(
        ledger=ledger,
        license_in_force=in_force,
        recorder=recorder,
        presence=presence,
        wall_clock=lambda: now[0],
        shared=shared,
    )
    admitting = Admissions(
        zone="default",
        seating=seating,
        meshes=meshes,
        rules=IdentityRules(rules, machine_id="0123456789abcdef0123456789abcdef"),
        license_in_force=in_force,
        recorder=recorder,
        presence=presence,
        refusals=refusals,
        closed=closed,
    )
    presence.end_seat = seating.end_seat
    desk = Desk(
        admitting,
        seating,
        in_force,
        store,
        recorder,
        meshes,
        now,
        api,
        keys,
        presence,
        shared,
        refusals,
    )
    await _share(desk, known)
    async with _running(desk):
        if serving:
            presence.serve(services(api, keys, meshes, run, takes_over=bool(rules)))
        await wait_all_tasks_blocked()  # the names of stored Dataplanes are known
        yield desk


async def _share(desk: Desk, known: Sequence[SeatRecord]) -> None:
    if desk.shared is not None:
        desk.recorder.told = desk.shared.changed
        desk.shared.lose = desk.seating.lose
        desk.seating.reserve(await desk.shared.begin(known))


@asynccontextmanager
async def _running(desk: Desk) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        if desk.shared is not None:
            nursery.start_soon(desk.shared.run)
        nursery.start_soon(desk.recorder.run)
        nursery.start_soon(desk.api.replica.run)
        nursery.start_soon(desk.presence.run, RECLAIM_SECONDS)
        yield
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
    gateway = {"type": "BUILTIN", "tags": {"kuma.io/service": "gateway"}}
    networking = {"address": "10.0.0.1", "gateway": gateway}
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
