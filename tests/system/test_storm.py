"""The limit under fire: many clients and the daemon itself killed at random."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.storms import storm
from support.suites.patience import HANG_SECONDS

RECLAIM_SECONDS = 60
TESTS = Path(__file__).parent.parent
pytestmark = pytest.mark.system

LIMIT = 5
CLIENTS = 64
ROUNDS = 1000
DAEMON_KILLS = 10
SEED = int(os.environ.get("KMESH_STORM_SEED", "20261121"))
STALL_SECONDS_MAX = HANG_SECONDS  # without a single round: the storm has failed, not slowed down


def _rounds(records: storm.SharedRecords) -> int:
    return sum(records.get(client, storm.ROUND_FIELD) for client in range(CLIENTS))


def _wait_for_rounds(
    records: storm.SharedRecords, wanted: int, program: subprocess.Popen[bytes]
) -> None:
    seen, since = -1, time.monotonic()
    while (done := _rounds(records)) < wanted and program.poll() is None:
        if done != seen:
            seen, since = done, time.monotonic()
        assert time.monotonic() - since < STALL_SECONDS_MAX, f"stuck at {done} rounds, seed {SEED}"
        time.sleep(0.02)


def _spans(directory: Path) -> tuple[list[tuple[int, int]], list[str]]:
    """When seats were surely held, and everything else that clients had to say."""
    spans: list[tuple[int, int]] = []
    complaints: list[str] = []
    for path in directory.glob("*.spans"):
        own: list[tuple[int, int]] = []
        for line in path.read_text().splitlines():
            word, *numbers = line.split()
            if word == "held" and len(numbers) == 2:
                own.append((int(numbers[0]), int(numbers[1])))
            else:
                complaints.append(f"{path.stem}: {line}")
        spans += storm.merged(own)
    return spans, complaints


def test_no_seat_is_given_twice_leaked_or_denied_to_a_known_proxy(tmp_path: Path) -> None:
    directory = tmp_path / "storm"
    directory.mkdir()
    random_ = random.Random(SEED)
    records = storm.SharedRecords(directory / "records", CLIENTS)
    with running(tmp_path / "d", environment={"KMESH_LOG_LEVEL": "warning"}) as daemon:
        arguments = [daemon.socket, directory, CLIENTS, ROUNDS, SEED]
        program = subprocess.Popen(
            [sys.executable, "-m", storm.__name__, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": os.fspath(TESTS)},
        )
        try:
            moments = sorted(random_.randrange(CLIENTS * ROUNDS) for _ in range(DAEMON_KILLS))
            for moment in moments:
                _wait_for_rounds(records, moment, program)
                daemon.stop(signal.SIGKILL)
                daemon.start()
            _wait_for_rounds(records, CLIENTS * ROUNDS, program)
            assert program.wait(STALL_SECONDS_MAX) == 0
        finally:
            program.kill()
            program.wait()
        spans, complaints = _spans(directory)
        assert not complaints, f"seed {SEED}: {complaints[:5]}\n{daemon.stderr[-4000:]}"
        assert len(spans) > CLIENTS, "seats were really taken"
        assert storm.most_at_once(spans) <= LIMIT, f"over-admission, seed {SEED}"
        _no_seat_leaks(daemon)


def _no_seat_leaks(daemon: Daemon) -> None:
    def metric(name: str) -> float:
        return daemon.metric(f"kong_mesh_{name}")

    eventually("every seat is given back", lambda: metric("license_dataplanes_active") == 0)
    # A client that was done when the daemon was killed does not come back: its seat is kept
    # until the reclaim window ends.
    eventually("no seat waits", lambda: metric("seats_reserved") == 0, 2 * RECLAIM_SECONDS)
    eventually("all of it is on disk", lambda: metric("store_pending_changes") == 0)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert metric("seats_reserved") == 0, "the store remembers a seat that nobody holds"
    seats = [daemon.seat(f"fresh-{n}") for n in range(LIMIT + 1)]
    assert [seat.admitted for seat in seats] == [True] * LIMIT + [False]
    for seat in seats:
        seat.leave()
