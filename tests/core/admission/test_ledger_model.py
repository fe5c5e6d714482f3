"""The ledger against a model that counts by looking at everything again."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.doors import Door, ProxyPeer
from kong_mesh_cp.core.admission.ledger import Holder, SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from support.fakes.peers import attested

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
MESHES = st.sampled_from(["blue", "green"])
KINDS = st.sampled_from([ProxyKind.SIDECAR, ProxyKind.SIDECAR, ProxyKind.BUILTIN_GATEWAY])


DOORS = st.sampled_from([Door.SOCKET, Door.STREAM])


class Connection:
    def __init__(self, seat: SeatId, kind: ProxyKind, door: Door) -> None:
        self.seat = seat
        self.kind = kind
        self.door = door
        self.holder: Holder | None = None
        self.ended = False

    def gone(self) -> bool:
        return self.ended


class LedgerMachine(RuleBasedStateMachine):
    @initialize(
        limit=st.integers(0, 4),
        refuses=st.booleans(),
        quotas=st.dictionaries(MESHES, st.none() | st.integers(0, 3)),
        others=st.none() | st.integers(0, 3),
        known=st.sets(st.tuples(MESHES, NAMES, KINDS), max_size=4),
    )
    def start(
        self,
        limit: int,
        refuses: bool,
        quotas: dict[str, int | None],
        others: int | None,
        known: set[tuple[str, str, ProxyKind]],
    ) -> None:
        self.policy = SeatPolicy(limit=limit, refuse_when_full=refuses, demo=refuses)
        self.quotas = MeshQuotas(quotas, others)
        self.ledger = SeatLedger(quotas=self.quotas)
        self.seated: list[Connection] = []
        self.replaced: list[Connection] = []
        self.reserved = {SeatId("z", mesh, name): kind for mesh, name, kind in sorted(known)}
        self.ledger.reserve(SeatRecord(seat, kind, NOW) for seat, kind in self.reserved.items())
        self.most = max(limit, self.used())
        self.most_of = {
            mesh: max(quota, self.used(mesh))
            for mesh in ("blue", "green")
            if (quota := quotas.get(mesh, others)) is not None
        }

    def counted(self) -> set[SeatId]:
        """The seats that count: those of live connections, of ghosts, and the reserved ones."""
        kept = {seat for seat, kind in self.reserved.items() if kind.counted}
        return kept | {each.seat for each in self.seated if each.kind.counted}

    def used(self, mesh: str | None = None) -> int:
        """Of all meshes, where none is given."""
        return sum(mesh in {None, seat.mesh} for seat in self.counted())

    def former(self, seat: SeatId, door: Door) -> Connection | None:
        """A process is one of its name in all meshes, a stream one of its seat."""
        for each in self.seated:
            same = each.seat == seat if door is Door.STREAM else each.seat.name == seat.name
            if each.door is door and same:
                return each
        return None

    def ghosts(self, but: Connection | None) -> set[SeatId]:
        """Counted seats that nobody alive has."""
        alive = {each.seat for each in self.seated if each.kind.counted and not each.ended}
        gone = {
            each.seat
            for each in self.seated
            if each.kind.counted and each.ended and each is not but
        }
        return gone - alive

    def expected(self, seat: SeatId, kind: ProxyKind, door: Door) -> RefusalCode | None:
        """Told from scratch: what the rules of the contract say of this request."""
        former = self.former(seat, door)
        company = next((e for e in self.seated if e.seat == seat and e.door is not door), None)
        if door is Door.SOCKET and former is not None and not former.ended:
            return RefusalCode.ALREADY_JOINED
        if kind.counted and company and not company.kind.counted and not company.ended:
            return RefusalCode.ALREADY_JOINED
        if not kind.counted or (company and company.kind.counted):
            return None
        if former is not None and former.seat == seat and former.kind.counted:
            return None
        reserved = self.reserved.get(seat)
        if (former is None or former.seat != seat) and reserved is not None and reserved.counted:
            return None
        # What is there when the former one has gone.
        self_less = [each for each in self.seated if each is not former]
        before, self.seated = self.seated, self_less
        try:
            used, of_mesh = self.used(), self.used(seat.mesh)
        finally:
            self.seated = before
        ghosts = self.ghosts(former)
        quota = self.quotas.of(seat.mesh)
        if quota is not None:
            ghosts_of_mesh = [each for each in ghosts if each.mesh == seat.mesh]
            if of_mesh > quota or (of_mesh == quota and not ghosts_of_mesh):
                return RefusalCode.MESH_QUOTA
        if not self.policy.refuse_when_full or used < self.policy.limit:
            return None
        return None if used == self.policy.limit and ghosts else RefusalCode.LICENSE_LIMIT

    @rule(mesh=MESHES, name=NAMES, kind=KINDS, door=DOORS)
    def ask(self, mesh: str, name: str, kind: ProxyKind, door: Door) -> None:
        seat = SeatId("z", mesh, name)
        decision = self.ledger.decide(seat, kind, self.policy, door)
        refused = decision.code if isinstance(decision, Refused) else None
        assert refused == self.expected(seat, kind, door)
        if refused is not None:
            return
        former = self.former(seat, door)
        connection = Connection(seat, kind, door)
        peer = attested() if door is Door.SOCKET else ProxyPeer("10.0.0.1")
        connection.holder, unseated = self.ledger.take(
            SeatRecord(seat, kind, NOW), self.policy, peer=peer, gone=connection.gone
        )
        for holder in unseated:
            displaced = next(each for each in self.seated if each.holder is holder)
            assert displaced.ended or displaced is former
            self.seated.remove(displaced)
            self.replaced.append(displaced)
        assert former not in self.seated
        self.reserved.pop(seat, None)
        self.seated.append(connection)

    def connected(self, name: str, door: Door) -> Connection | None:
        return next((e for e in self.seated if e.seat.name == name and e.door is door), None)

    @rule(name=NAMES, door=DOORS)
    def end_unnoticed(self, name: str, door: Door) -> None:
        connection = self.connected(name, door)
        if connection is not None:
            connection.ended = True

    @rule(name=NAMES, door=DOORS)
    def release(self, name: str, door: Door) -> None:
        connection = self.connected(name, door)
        if connection is not None:
            self.seated.remove(connection)
            assert connection.holder is not None
            assert self.ledger.free(connection.holder)

    @rule()
    def release_late(self) -> None:
        while self.replaced:
            holder = self.replaced.pop().holder
            assert holder is not None
            assert not self.ledger.free(holder)

    @rule()
    def end_reclaim_window(self) -> None:
        assert set(self.ledger.expire()) == set(self.reserved)
        self.reserved.clear()

    @invariant()
    def holders_are_those_of_the_model(self) -> None:
        held = {(each.record.seat, each.door): each for each in self.ledger.holders}
        assert held == {(each.seat, each.door): each.holder for each in self.seated}

    @invariant()
    def the_limit_holds(self) -> None:
        occupancy = self.ledger.occupancy()
        assert occupancy.active + occupancy.reserved == self.used()
        if self.policy.refuse_when_full:
            assert self.used() <= self.most
        assert all(self.used(mesh) <= most for mesh, most in self.most_of.items())

    @invariant()
    def the_counts_are_those_of_counting_again(self) -> None:
        by_mesh: dict[str, int] = {}
        for seat in {each.seat for each in self.seated if each.kind.counted}:
            by_mesh[seat.mesh] = by_mesh.get(seat.mesh, 0) + 1
        occupancy = self.ledger.occupancy()
        assert dict(occupancy.by_mesh) == by_mesh
        assert occupancy.active == sum(by_mesh.values()) == self.ledger.active


LedgerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase
