"""kill -9 between any two steps: every answered mesh is there, and none is half made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection
from support.fakes.resources import mesh, names, put, whole_mesh
from support.storms.resource_crashes import STORM_TASKS, STORMS, opened_store
from support.suites.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
POINTS_MIN = 15  # fewer would mean that the steps are no longer seen


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite"
    return str(request.getfixturevalue("database").port)


def crash(mode: str, store: str, directory: Path) -> set[str]:
    """Run support/storms/resource_crashes.py; the meshes it has answered."""
    search = os.pathsep.join([str(ROOT / "daemon"), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, "-m", "support.storms.resource_crashes", mode, store, str(directory)],
        env={**os.environ, "PYTHONPATH": search},
        check=True,
        timeout=HANG_SECONDS,
    )
    return set((directory / "acked").read_text().split())


async def whole_meshes(resources: ResourceStore) -> set[str]:
    """The meshes there are; each has all that is born with it, and nothing is without a mesh."""
    made = set(await names(resources, "Mesh"))
    policies = (await resources.list(Selection(type="MeshTimeout"))).items
    secrets = (await resources.list(Selection(type="Secret"))).items
    assert Counter(one.key.mesh for one in policies) == dict.fromkeys(made, 3)
    assert Counter(one.key.mesh for one in secrets) == dict.fromkeys(made, 1)
    return made


async def test_after_kill_9_before_any_step_no_mesh_is_lost_or_half_made(
    store: str, tmp_path: Path
) -> None:
    answered = crash("kill", store, tmp_path)

    points = int((tmp_path / "points").read_text())
    assert points > POINTS_MIN
    async with opened_store(store, tmp_path) as resources:
        made = await whole_meshes(resources)
        for point in range(1, points + 1):
            first, second = f"p{point:04}-a", f"p{point:04}-b"
            # The second one replaces the first, in one transaction.
            possible: list[set[str]]
            if second in answered:
                possible = [{second}]
            elif first in answered:
                possible = [{first}, {second}]
            else:
                possible = [set(), {first}]
            assert made & {first, second} in possible, point
        assert 5 * len(made) < await resources.revision()
        await resources.apply([put(mesh("next"), if_version=0)])


async def test_after_kill_9_in_a_storm_no_answered_mesh_is_lost_and_none_is_half_made(
    store: str, tmp_path: Path
) -> None:
    answered = crash("storm", store, tmp_path)

    async with opened_store(store, tmp_path) as resources:
        made = await whole_meshes(resources)
        assert answered <= made
        assert len(made - answered) <= STORMS * STORM_TASKS
        assert await resources.revision() == sum(len(whole_mesh(name)) for name in made)
