from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from kong_mesh_cp.core.admission.decision import (
    Admitted,
    AdmittedOverLimit,
    Decision,
    RefusalCode,
    Refused,
)
from kong_mesh_cp.core.admission.ledger import (
    HIGH_WATER_DAYS_MAX,
    Holder,
    Occupancy,
    SeatLedger,
    SeatPolicy,
)
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from support.fakes.peers import attested

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TWO_REFUSING = SeatPolicy(limit=2, refuse_when_full=True, demo=True)
TWO_WARNING = SeatPolicy(limit=2, refuse_when_full=False, demo=False)
GATEWAY = ProxyKind.BUILTIN_GATEWAY


def seat(name: str, *, mesh: str = "default", zone: str = "default") -> SeatId:
    return SeatId(zone, mesh, name)


class Connection:
    """A connection that can end without anybody noticing yet."""

    def __init__(self) -> None:
        self.ended = False

    def gone(self) -> bool:
        return self.ended


class Desk:
    """A ledger with its policy, asked the way a use case does."""

    def __init__(self, policy: SeatPolicy = TWO_REFUSING) -> None:
        self.ledger = SeatLedger()
        self.policy = policy
        self.unseated: tuple[Holder, ...] = ()

    def decide(self, name: SeatId, kind: ProxyKind = ProxyKind.SIDECAR) -> Decision:
        return self.ledger.decide(name, kind, self.policy)

    def take(
        self, name: SeatId, kind: ProxyKind = ProxyKind.SIDECAR, *, at: datetime = NOON
    ) -> tuple[Holder, Connection]:
        decision = self.decide(name, kind)
        assert not isinstance(decision, Refused), decision
        connection = Connection()
        holder, self.unseated = self.ledger.take(
            SeatRecord(name, kind, at), self.policy, peer=attested(), gone=connection.gone
        )
        return holder, connection


def refusal(decision: Decision) -> RefusalCode:
    assert isinstance(decision, Refused)
    return decision.code


def test_seats_are_given_up_to_the_limit_and_not_beyond() -> None:
    desk = Desk()
    desk.take(seat("a"))
    desk.take(seat("b"))

    full = desk.decide(seat("c"))

    assert refusal(full) is RefusalCode.LICENSE_LIMIT
    assert isinstance(full, Refused)
    assert full.retry_after_seconds is not None
    assert desk.ledger.active == 2


def test_a_freed_seat_can_be_taken_by_another() -> None:
    desk = Desk()
    first, _ = desk.take(seat("a"))
    desk.take(seat("b"))
    desk.ledger.free(first)

    desk.take(seat("c"))

    assert desk.ledger.active == 2


def test_an_issued_license_admits_over_the_limit_and_says_by_how_many() -> None:
    desk = Desk(TWO_WARNING)
    desk.take(seat("a"))
    desk.take(seat("b"))

    assert desk.decide(seat("c")) == AdmittedOverLimit(seats_over=1)
    desk.take(seat("c"))
    assert desk.decide(seat("d")) == AdmittedOverLimit(seats_over=2)


def test_gateways_take_no_counted_seat() -> None:
    desk = Desk()
    for number in range(10):
        desk.take(seat(f"gateway-{number}"), GATEWAY)
    desk.take(seat("a"))
    desk.take(seat("b"))

    assert desk.decide(seat("gateway-11"), GATEWAY) == Admitted()
    assert desk.ledger.active == 2
    assert refusal(desk.decide(seat("c"))) is RefusalCode.LICENSE_LIMIT


@pytest.mark.parametrize("kind", list(ProxyKind))
def test_only_a_sidecar_counts(kind: ProxyKind) -> None:
    desk = Desk()

    desk.take(seat("a"), kind)

    assert desk.ledger.active == (kind is ProxyKind.SIDECAR)


def test_a_name_that_is_held_live_cannot_be_joined_again() -> None:
    desk = Desk()
    desk.take(seat("a"))

    assert refusal(desk.decide(seat("a"))) is RefusalCode.ALREADY_JOINED


def test_a_proxy_belongs_to_one_mesh_at_a_time() -> None:
    desk = Desk()
    desk.take(seat("a", mesh="blue"))

    refused = desk.decide(seat("a", mesh="green"))

    assert refusal(refused) is RefusalCode.ALREADY_JOINED
    assert isinstance(refused, Refused)
    assert "blue" in refused.reason


def test_the_same_name_in_another_zone_is_another_proxy() -> None:
    desk = Desk()
    desk.take(seat("a", zone="east"))

    assert desk.decide(seat("a", zone="west")) == Admitted()


def test_a_name_in_use_is_reported_before_a_full_license() -> None:
    desk = Desk()
    desk.take(seat("a"))
    desk.take(seat("b"))

    assert refusal(desk.decide(seat("a"))) is RefusalCode.ALREADY_JOINED


def test_a_restarted_client_is_not_refused_by_its_own_ghost() -> None:
    desk = Desk()
    ghost, connection = desk.take(seat("a"))
    desk.take(seat("b"))
    connection.ended = True

    holder, _ = desk.take(seat("a"))

    assert desk.unseated == (ghost,)
    assert desk.ledger.holder_of(seat("a")) is holder
    assert desk.ledger.active == 2


def test_the_late_release_of_a_ghost_does_not_free_its_successors_seat() -> None:
    desk = Desk()
    ghost, connection = desk.take(seat("a"))
    connection.ended = True
    holder, _ = desk.take(seat("a"))

    assert desk.ledger.free(ghost) is False
    assert desk.ledger.active == 1
    assert desk.ledger.free(holder) is True
    assert desk.ledger.active == 0


def test_freeing_twice_frees_once() -> None:
    desk = Desk()
    holder, _ = desk.take(seat("a"))
    desk.take(seat("b"))

    assert [desk.ledger.free(holder), desk.ledger.free(holder)] == [True, False]
    assert desk.ledger.active == 1


def test_a_ghost_makes_room_for_another_name_when_all_is_full() -> None:
    desk = Desk()
    ghost, connection = desk.take(seat("a"))
    desk.take(seat("b"))
    connection.ended = True

    desk.take(seat("c"))

    assert desk.unseated == (ghost,)
    assert desk.ledger.active == 2
    assert desk.ledger.holder_of(seat("a")) is None


def test_a_ghost_of_a_gateway_makes_no_room() -> None:
    desk = Desk()
    _, connection = desk.take(seat("gateway"), GATEWAY)
    connection.ended = True
    desk.take(seat("a"))
    desk.take(seat("b"))

    assert refusal(desk.decide(seat("c"))) is RefusalCode.LICENSE_LIMIT


def test_a_ghost_that_moves_to_another_mesh_gives_its_count_along() -> None:
    desk = Desk()
    _, connection = desk.take(seat("a", mesh="blue"))
    desk.take(seat("b"))
    connection.ended = True

    desk.take(seat("a", mesh="green"))

    assert desk.ledger.occupancy().by_mesh == {"green": 1, "default": 1}


def test_a_gateways_ghost_does_not_bring_a_sidecar_in() -> None:
    desk = Desk()
    _, connection = desk.take(seat("g"), GATEWAY)
    desk.take(seat("a"))
    desk.take(seat("b"))
    connection.ended = True

    assert refusal(desk.decide(seat("g"))) is RefusalCode.LICENSE_LIMIT


def record(name: str, kind: ProxyKind = ProxyKind.SIDECAR) -> SeatRecord:
    return SeatRecord(seat(name), kind, NOON)


def test_known_proxies_are_never_refused_and_strangers_wait() -> None:
    desk = Desk()
    desk.ledger.reserve([record("a"), record("b")])

    stranger = desk.decide(seat("c"))
    desk.take(seat("a"))
    desk.take(seat("b"))

    assert refusal(stranger) is RefusalCode.LICENSE_LIMIT
    assert isinstance(stranger, Refused)
    assert "2 of them kept" in stranger.reason
    assert desk.ledger.occupancy().reserved == 0


def test_known_proxies_come_back_even_under_a_smaller_license() -> None:
    desk = Desk(SeatPolicy(limit=1, refuse_when_full=True, demo=True))
    desk.ledger.reserve([record("a"), record("b"), record("c")])

    for name in "abc":
        desk.take(seat(name))

    assert desk.ledger.active == 3
    assert refusal(desk.decide(seat("d"))) is RefusalCode.LICENSE_LIMIT


def test_a_known_proxy_is_not_over_the_limit_again() -> None:
    desk = Desk(SeatPolicy(limit=0, refuse_when_full=False, demo=False))
    desk.ledger.reserve([record("a")])

    assert desk.decide(seat("a")) == Admitted()


def test_having_been_a_gateway_is_no_claim_to_a_counted_seat() -> None:
    desk = Desk()
    desk.ledger.reserve([record("g", GATEWAY)])
    desk.take(seat("a"))
    desk.take(seat("b"))

    assert refusal(desk.decide(seat("g"))) is RefusalCode.LICENSE_LIMIT


def test_the_reclaim_window_ends_for_those_who_did_not_come() -> None:
    desk = Desk()
    desk.ledger.reserve([record("a"), record("b")])
    desk.take(seat("a"))

    assert desk.ledger.expire() == (seat("b"),)
    assert desk.ledger.expire() == ()
    desk.take(seat("c"))


def test_a_seat_is_not_reserved_for_a_proxy_that_is_back_already() -> None:
    desk = Desk()
    desk.take(seat("a"))

    desk.ledger.reserve([record("a"), record("b"), record("b")])

    assert desk.ledger.occupancy().reserved == 1


def test_occupancy_tells_where_the_counted_seats_are() -> None:
    desk = Desk(SeatPolicy(limit=10, refuse_when_full=True, demo=True))
    desk.ledger.reserve([record("r"), record("s", GATEWAY)])
    desk.take(seat("a", mesh="blue", zone="east"))
    desk.take(seat("b", mesh="blue", zone="west"))
    desk.take(seat("c", mesh="green", zone="west"))
    desk.take(seat("d", mesh="green"), GATEWAY)

    assert desk.ledger.occupancy() == Occupancy(
        active=3,
        reserved=1,
        by_mesh={"blue": 2, "green": 1},
        by_zone={"east": 1, "west": 2},
        high_water={NOON.date(): 3},
    )


def test_an_empty_mesh_is_not_listed() -> None:
    desk = Desk()
    holder, _ = desk.take(seat("a"))
    desk.ledger.free(holder)

    assert desk.ledger.occupancy().by_mesh == {}
    assert desk.ledger.occupancy().by_zone == {}


def test_the_high_water_mark_of_a_day_stays_when_seats_are_freed() -> None:
    desk = Desk()
    first, _ = desk.take(seat("a"))
    desk.take(seat("b"))
    desk.ledger.free(first)
    desk.take(seat("c"), at=NOON + timedelta(days=1))

    assert desk.ledger.occupancy().high_water == {
        date(2026, 11, 21): 2,
        date(2026, 11, 22): 2,
    }


def test_seats_held_over_midnight_count_for_the_new_day() -> None:
    desk = Desk()
    desk.take(seat("a"))

    assert desk.ledger.note_day(date(2026, 11, 22)) == 1
    assert desk.ledger.occupancy().high_water[date(2026, 11, 22)] == 1


def test_remembered_marks_are_only_raised() -> None:
    ledger = SeatLedger({NOON.date(): 7})

    assert ledger.note_day(NOON.date()) == 7


def test_only_so_many_days_are_kept() -> None:
    first = date(2020, 1, 1)
    days = {first + timedelta(days=number): 1 for number in range(HIGH_WATER_DAYS_MAX)}
    desk = Desk()
    desk.ledger = SeatLedger(days)

    desk.take(seat("a"))

    marks = desk.ledger.occupancy().high_water
    assert len(marks) == HIGH_WATER_DAYS_MAX
    assert first not in marks
    assert marks[NOON.date()] == 1
