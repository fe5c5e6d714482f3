"""kill -9 between any two steps of a rotation: every secret can be read, and the next one works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.shell.store.secret_key import find_secret_keys
from support.suites.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
POINTS_MIN = 30  # fewer would mean that the steps are no longer seen


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite"
    return str(request.getfixturevalue("database").port)


def test_after_kill_9_before_any_step_of_a_rotation_every_secret_can_be_read(
    store: str, tmp_path: Path
) -> None:
    search = os.pathsep.join([str(ROOT / "daemon"), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, "-m", "support.storms.key_crashes", store, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": search},
        check=True,
        timeout=HANG_SECONDS,
    )
    assert int((tmp_path / "points").read_text()) > POINTS_MIN
    keys = find_secret_keys(tmp_path / "state", None)
    assert keys is not None
    assert len(keys.keys) == 1
