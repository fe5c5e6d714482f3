"""A quota keeps one mesh from taking all that the license allows, whatever the license says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kong_mesh_cp.core.admission.decision import Admitted, Decision, RefusalCode, Refused
from kong_mesh_cp.core.admission.ledger import Holder, SeatLedger, SeatPolicy
from kong_mesh_cp.core.admission.mesh_quotas import NO_QUOTAS, MeshQuotas
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from support.fakes.peers import attested

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUED = SeatPolicy(limit=100, refuse_when_full=False, demo=False)
QUOTAS = MeshQuotas.read(("pay=2", "infra=unlimited", "closed=0", "*=1"))


class Desk:
    def __init__(self, policy: SeatPolicy = ISSUED) -> None:
        self.ledger = SeatLedger(quotas=QUOTAS)
        self.policy = policy
        self.ended: set[str] = set()

    def decide(self, mesh: str, name: str, kind: ProxyKind = ProxyKind.SIDECAR) -> Decision:
        return self.ledger.decide(SeatId("z", mesh, name), kind, self.policy)

    def take(self, mesh: str, name: str) -> tuple[Holder, tuple[Holder, ...]]:
        assert not isinstance(self.decide(mesh, name), Refused)
        record = SeatRecord(SeatId("z", mesh, name), ProxyKind.SIDECAR, NOON)
        return self.ledger.take(
            record, self.policy, peer=attested(), gone=lambda: name in self.ended
        )


def test_the_words_say_how_many_and_the_star_is_every_other_mesh() -> None:
    quotas = {mesh: QUOTAS.of(mesh) for mesh in ("pay", "infra", "closed", "any")}
    assert quotas == {"pay": 2, "infra": None, "closed": 0, "any": 1}
    assert QUOTAS.document() == {"*": 1, "closed": 0, "infra": None, "pay": 2}
    assert (NO_QUOTAS.of("pay"), NO_QUOTAS.document()) == (None, {})


def test_one_more_is_refused_also_under_an_issued_license() -> None:
    desk = Desk()
    desk.take("pay", "a")
    desk.take("pay", "b")

    refused = desk.decide("pay", "c")

    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.MESH_QUOTA
    assert "mesh pay may have 2 data plane proxies" in refused.reason
    assert "admission.meshQuotas" in refused.hint
    assert refused.retry_after_seconds is not None
    assert desk.decide("infra", "c") == Admitted()
    assert desk.decide("other", "c") == Admitted()


def test_a_mesh_with_a_quota_of_none_is_closed_for_good() -> None:
    refused = Desk().decide("closed", "a")
    assert isinstance(refused, Refused)
    assert refused.reason == "mesh closed may have no data plane proxy (admission.meshQuotas)"
    assert refused.retry_after_seconds is None


def test_gateways_are_not_counted() -> None:
    assert Desk().decide("closed", "gw", ProxyKind.BUILTIN_GATEWAY) == Admitted()


def test_whoever_has_a_seat_keeps_it() -> None:
    desk = Desk()
    known = [SeatRecord(SeatId("z", "pay", name), ProxyKind.SIDECAR, NOON) for name in "abc"]
    desk.ledger.reserve(known)

    refused = desk.decide("pay", "d")
    assert isinstance(refused, Refused)
    assert "3 of them kept for proxies from before the restart" in refused.reason
    assert desk.decide("pay", "c") == Admitted()

    desk.take("pay", "c")
    desk.ledger.expire()
    desk.take("pay", "d")
    assert isinstance(desk.decide("pay", "e"), Refused)


def test_a_seat_whose_process_is_gone_makes_room_in_its_own_mesh() -> None:
    desk = Desk()
    desk.take("pay", "a")
    desk.take("pay", "b")
    desk.take("other", "x")

    desk.ended.add("x")
    assert isinstance(desk.decide("pay", "c"), Refused)

    desk.ended.add("a")
    _, unseated = desk.take("pay", "c")
    assert [holder.record.seat.name for holder in unseated] == ["a"]


def test_one_that_goes_for_the_mesh_makes_room_under_the_license_as_well() -> None:
    desk = Desk(SeatPolicy(limit=3, refuse_when_full=True, demo=True))
    desk.take("other", "x")
    desk.take("pay", "a")
    desk.take("pay", "b")
    desk.ended |= {"a", "x"}

    _, unseated = desk.take("pay", "c")

    assert [holder.record.seat.name for holder in unseated] == ["a"]


@pytest.mark.parametrize("here", [0, 1])
def test_seats_at_other_control_planes_count(here: int) -> None:
    desk = Desk()
    for number in range(here):
        desk.take("pay", f"here-{number}")
    desk.ledger.note_elsewhere({"pay": 2 - here, "other": 7})

    assert isinstance(desk.decide("pay", "c"), Refused)
    assert desk.ledger.elsewhere == 9 - here

    desk.ledger.note_elsewhere({})
    assert desk.decide("pay", "c") == Admitted()
