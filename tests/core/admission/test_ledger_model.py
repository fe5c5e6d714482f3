"""The ledger against a model that counts by looking at everything again."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.ledger import Holder, SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from support.fakes.peers import attested

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
MESHES = st.sampled_from(["blue", "green"])
KINDS = st.sampled_from([ProxyKind.SIDECAR, ProxyKind.SIDECAR, ProxyKind.BUILTIN_GATEWAY])


class Connection:
    def __init__(self, seat: SeatId, kind: ProxyKind) -> None:
        self.seat = seat
        self.kind = kind
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
        self.seated: dict[str, Connection] = {}  # by name
        self.replaced: list[Connection] = []
        self.reserved = {SeatId("z", mesh, name): kind for mesh, name, kind in sorted(known)}
        self.ledger.reserve(SeatRecord(seat, kind, NOW) for seat, kind in self.reserved.items())
        self.most = max(limit, self.used())
        self.most_of = {
            mesh: max(quota, self.used(mesh))
            for mesh in ("blue", "green")
            if (quota := quotas.get(mesh, others)) is not None
        }

    def used(self, mesh: str | None = None) -> int:
        """Of all meshes, where none is given."""
        seats = [(c.seat, c.kind) for c in self.seated.values()] + [*self.reserved.items()]
        return sum(kind.counted for seat, kind in seats if mesh in {None, seat.mesh})

    def expected(self, seat: SeatId, kind: ProxyKind) -> RefusalCode | None:
        """Told from scratch: what the rules of the contract say of this request."""
        holder = self.seated.get(seat.name)
        if holder is not None and not holder.ended:
            return RefusalCode.ALREADY_JOINED
        if not kind.counted:
            return None
        if holder is not None and holder.seat == seat and holder.kind.counted:
            return None
        reserved = self.reserved.get(seat)
        if (holder is None or holder.seat != seat) and reserved is not None and reserved.counted:
            return None
        ghosts = [c for c in self.seated.values() if c.ended and c.kind.counted and c != holder]
        own = holder is not None and holder.kind.counted
        quota = self.quotas.of(seat.mesh)
        if quota is not None:
            own_of_mesh = own and holder is not None and holder.seat.mesh == seat.mesh
            room = quota - (self.used(seat.mesh) - own_of_mesh)
            ghosts_of_mesh = [c for c in ghosts if c.seat.mesh == seat.mesh]
            if room < 0 or (room == 0 and not ghosts_of_mesh):
                return RefusalCode.MESH_QUOTA
        if not self.policy.refuse_when_full:
            return None
        used = self.used() - own
        if used < self.policy.limit:
            return None
        return None if used == self.policy.limit and ghosts else RefusalCode.LICENSE_LIMIT

    @rule(mesh=MESHES, name=NAMES, kind=KINDS)
    def ask(self, mesh: str, name: str, kind: ProxyKind) -> None:
        seat = SeatId("z", mesh, name)
        decision = self.ledger.decide(seat, kind, self.policy)
        refused = decision.code if isinstance(decision, Refused) else None
        assert refused == self.expected(seat, kind)
        if refused is not None:
            return
        connection = Connection(seat, kind)
        connection.holder, unseated = self.ledger.take(
            SeatRecord(seat, kind, NOW), self.policy, peer=attested(), gone=connection.gone
        )
        for ghost in unseated:
            former = self.seated.pop(ghost.record.seat.name)
            assert former.ended
            assert former.holder is ghost
            self.replaced.append(former)
        self.reserved.pop(seat, None)
        self.seated[name] = connection

    @rule(name=NAMES)
    def end_unnoticed(self, name: str) -> None:
        if name in self.seated:
            self.seated[name].ended = True

    @rule(name=NAMES)
    def release(self, name: str) -> None:
        connection = self.seated.pop(name, None)
        if connection is not None:
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
        held = {holder.record.seat: holder for holder in self.ledger.holders}
        assert held == {c.seat: c.holder for c in self.seated.values()}

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
        for connection in self.seated.values():
            if connection.kind.counted:
                mesh = connection.seat.mesh
                by_mesh[mesh] = by_mesh.get(mesh, 0) + 1
        occupancy = self.ledger.occupancy()
        assert dict(occupancy.by_mesh) == by_mesh
        assert occupancy.active == sum(by_mesh.values()) == self.ledger.active


LedgerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase
