"""A daemon whose files are taken away while clients write: it lives, says so, and keeps its word."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.daemon import START_SECONDS_MAX
from support.storms.file_replacement import FILES, FileReplacement, every_round, some_rounds

pytestmark = pytest.mark.system

ROUNDS_OF_A_RUN = 4  # then it is killed, and what it has promised looked for
SEED = 20261130  # another one and more rounds: scripts/fuzz-files


def test_each_file_may_be_taken_away_under_load(tmp_path: Path) -> None:
    with FileReplacement(tmp_path, patience_seconds=START_SECONDS_MAX, seed=SEED) as daemon:
        for number, (file, kind) in enumerate(some_rounds(len(FILES), SEED), 1):
            daemon.round(file, kind)
            if number % ROUNDS_OF_A_RUN == 0:
                daemon.compare()


def test_every_file_is_taken_away_in_ten_ways_at_least() -> None:
    kinds = {file: [kind for each, kind in every_round() if each == file] for file in FILES}
    few = {file for file, ways in kinds.items() if len(ways) < 10}
    assert few <= {"state", "socket"}, "a folder and a socket have no content to be changed"
    assert all(len(kinds[file]) >= 9 for file in few)
