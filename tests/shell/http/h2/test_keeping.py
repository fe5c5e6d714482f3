"""What one direction of a connection keeps, in the budget of all."""

from __future__ import annotations

from kong_mesh_cp.shell.http.h2.bounds import UNCOUNTED_BYTES
from kong_mesh_cp.shell.http.h2.keeping import Keeping
from kong_mesh_cp.shell.listening.budget import SLOW_SECONDS, ByteBudget
from kong_mesh_cp.shell.listening.places import Place

BUDGET = 64 * UNCOUNTED_BYTES


def nothing() -> None:
    pass


def test_little_is_not_counted() -> None:
    budget = ByteBudget(BUDGET)
    keeping = Keeping(budget, Place("a", privileged=False))

    assert keeping.count(UNCOUNTED_BYTES, 0.0, nothing)
    assert budget.held == 0


def test_all_is_counted_once_there_is_much_and_forgotten_when_there_is_little_again() -> None:
    budget = ByteBudget(BUDGET)
    keeping = Keeping(budget, Place("a", privileged=False))

    held = []
    for size in (2, 3, 5, 4, 2, 1, 2, 0):
        assert keeping.count(size * UNCOUNTED_BYTES, 0.0, nothing)
        held.append(budget.held // UNCOUNTED_BYTES)

    assert held == [2, 3, 5, 4, 2, 0, 2, 0]


def test_there_is_no_room_beyond_the_share_of_an_origin() -> None:
    budget = ByteBudget(BUDGET)
    keeping = Keeping(budget, Place("a", privileged=False))

    assert keeping.count(BUDGET // 2, 0.0, nothing)
    assert not keeping.count(BUDGET // 2 + 1, 0.0, nothing)
    keeping.forget()
    assert budget.held == 0


def test_who_is_slow_gives_way_to_others() -> None:
    budget = ByteBudget(BUDGET)
    gave_way = []
    slow = Keeping(budget, Place("a", privileged=False))
    assert slow.count(BUDGET // 2, 0.0, lambda: gave_way.append(True))
    other = Keeping(budget, Place("b", privileged=False))

    assert slow.slow_since(SLOW_SECONDS) == 0.0
    assert other.count(BUDGET // 2, SLOW_SECONDS, nothing)
    assert gave_way == [True]
    assert budget.held == BUDGET // 2


def test_what_has_gone_on_counts_as_taken() -> None:
    budget = ByteBudget(BUDGET)
    keeping = Keeping(budget, Place("a", privileged=False))
    keeping.count(BUDGET // 2, 0.0, nothing)
    keeping.count(BUDGET // 4, SLOW_SECONDS, nothing)

    assert keeping.slow_since(SLOW_SECONDS) is None
