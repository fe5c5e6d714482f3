"""kill -9 in a storm of writes over HTTP: what was acknowledged is there, and nothing is half made.

`scripts/storm-api` runs many more rounds.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.daemons.daemon import running
from support.storms.api_storm import ENVIRONMENT, Storm

pytestmark = pytest.mark.system

ROUNDS = 5
WRITES = 1000
SEED = int(os.environ.get("KMESH_STORM_SEED", "20261128"))


def test_after_kill_9_every_acknowledged_write_is_there_and_no_mesh_is_half_made(
    tmp_path: Path,
) -> None:
    with running(tmp_path, environment=ENVIRONMENT) as daemon:
        storm = Storm(daemon, SEED)
        for _ in range(ROUNDS):
            storm.round(WRITES)
        daemon.stop()
        storm.compare_versions("sqlite", daemon.state)
    assert storm.figures.meshes > ROUNDS
    assert storm.figures.acknowledged > WRITES
