"""What is counted, and where."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.volume import (
    NOT_COUNTED,
    Excess,
    Quota,
    Share,
    Totals,
    Volume,
    share_of,
    size_of,
)
from kong_mesh_cp.usecases.admission.proxy_records import RUN
from kong_mesh_cp.usecases.admission.registrations import REGISTRATION

QUOTA = Quota(items=3, bytes=100)
FULL = Totals(Volume(3, 100), Volume(3, 100))


def test_all_that_clients_can_write_is_counted_and_nothing_else() -> None:
    unwritable = {row.name for row in TYPES.values() if row.read_only or not row.path}
    assert unwritable | {REGISTRATION, RUN} == NOT_COUNTED
    for name in TYPES:
        assert (share_of(name) is None) == (name in unwritable)


def test_the_size_is_that_of_all_texts_in_utf_8() -> None:
    assert size_of("{}", None, {}) == 2
    assert size_of("{}", "é", {"𝕏": "", "b": "cd"}) == 2 + 2 + 4 + 3


@pytest.mark.parametrize(
    ("after", "excess"),
    [
        (Totals(Volume(4, 100), Volume(3, 100)), None),  # another share
        (Totals(Volume(3, 100), Volume(3, 100)), None),
        (Totals(Volume(3, 100), Volume(2, 99)), None),
        (Totals(Volume(3, 100), Volume(4, 1)), Excess(Share.OTHERS, "items", 4, 3)),
        (Totals(Volume(3, 100), Volume(3, 101)), Excess(Share.OTHERS, "bytes", 101, 100)),
        (Totals(Volume(3, 100), Volume(1, 101)), Excess(Share.OTHERS, "bytes", 101, 100)),
    ],
)
def test_what_a_full_store_takes(after: Totals, excess: Excess | None) -> None:
    assert QUOTA.excess("Mesh", FULL, after) == excess
    assert QUOTA.excess("MeshInsight", FULL, after) is None


def test_a_store_that_is_over_may_shrink() -> None:
    over = Totals(others=Volume(9, 900))
    assert QUOTA.excess("Mesh", over, Totals(others=Volume(8, 899))) is None
    assert QUOTA.excess("Mesh", over, over) is None
    assert QUOTA.excess("Mesh", over, Totals(others=Volume(8, 901))) is not None


def test_totals_follow_what_comes_changes_and_goes() -> None:
    totals = Totals().changed("Mesh", None, 10).changed("Mesh", 10, 7).changed("Secret", None, 1)
    assert totals == Totals(others=Volume(2, 8))
    totals = totals.changed("Dataplane", None, 5).changed("Mesh", 7, None)
    assert totals == Totals(Volume(1, 5), Volume(1, 1))
    assert totals.changed("DataplaneInsight", None, 99) == totals
