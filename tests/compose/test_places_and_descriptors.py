"""How many connections there may be where the process may not open files for all of them."""

from __future__ import annotations

import pytest

from kong_mesh_cp.compose.serving import (
    DESCRIPTORS_BESIDE,
    DESCRIPTORS_BESIDE_MIN,
    part_of_places,
)

PLACES = 2 * 4096 + 3 * 1024


def test_with_descriptors_for_all_every_listener_has_all_its_places() -> None:
    assert part_of_places(PLACES + DESCRIPTORS_BESIDE, PLACES, DESCRIPTORS_BESIDE) == 1


@pytest.mark.parametrize("allowed", [128, 256, 1024, 4096])
@pytest.mark.parametrize("database", [0, 8])
def test_what_the_process_needs_besides_is_kept_back(allowed: int, database: int) -> None:
    part = part_of_places(allowed, PLACES, DESCRIPTORS_BESIDE + database)
    kept = allowed - part * PLACES
    assert kept >= DESCRIPTORS_BESIDE_MIN + database
    assert part > 0


def test_with_fewer_than_it_needs_besides_nothing_is_promised_to_connections() -> None:
    assert part_of_places(32, PLACES, DESCRIPTORS_BESIDE) == 0
