"""kill -9 and refusals at every step: what was answered is there, and no step is half made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import trio

from kong_mesh_cp.shell.store.sqlite.peek import peek
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.usecases.ports.state_store import AuditEntry, Remembered
from support.fakes.fake_store import FakeStateStore
from support.fakes.stores import names_of
from support.storms.store_crashes import STORM_TASKS, STORMS, steps
from support.suites.patience import HANG_SECONDS

ROOT = Path(__file__).parents[3]
POINTS_MIN = 60  # fewer would mean that the steps are no longer seen
REFUSALS_MIN = 15


def crash(mode: str, directory: Path) -> list[Path]:
    """Run the program of support/storms/store_crashes.py; one directory for each way it ended."""
    search = os.pathsep.join([str(ROOT / "daemon"), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, "-m", "support.storms.store_crashes", mode, str(directory)],
        env={**os.environ, "PYTHONPATH": search},
        check=True,
        timeout=HANG_SECONDS,
    )
    return sorted(directory.iterdir())


Past = tuple[Remembered, tuple[AuditEntry, ...]]


def lives(count: int) -> Past:
    """What a store remembers after the first `count` steps, by the model."""

    async def live() -> Past:
        model = FakeStateStore()
        for _, step in zip(range(count), steps(), strict=False):
            await step(model)
        return await model.remembered(), tuple(model.entries)

    return trio.run(live)


def reopened(state: Path) -> Past:
    async def read() -> Past:
        with StateDirectory.open(state) as directory:
            async with directory.open_store() as store:
                return await store.remembered(), await store.audit_entries()

    return trio.run(read)


def test_after_kill_9_before_any_step_all_that_was_answered_is_there(tmp_path: Path) -> None:
    ends = crash("kill", tmp_path)

    assert len(ends) > POINTS_MIN
    for end in ends:
        answered = len((end / "acked").read_text().splitlines())
        peeked = peek(end / "state")
        # The step on its way may have been made or not, but not by half.
        possible = [lives(answered), lives(answered + 1)]
        assert reopened(end / "state") in possible, end
        assert peeked in [past for past, _ in possible], end


def test_a_refused_file_operation_is_reported_and_the_next_try_succeeds(tmp_path: Path) -> None:
    ends = crash("refuse", tmp_path)

    whole, _ = lives(len(list(steps())))
    lines = [(end / "error").read_text() for end in ends if (end / "error").exists()]
    for end in ends:
        past, _ = reopened(end / "state")
        assert past == whole, end
    for line in lines:
        assert line.startswith(f"state-full: no space is left for {tmp_path}"), line
    # Making what is there already, and reading the two copies (a remark then), go on without;
    # the last one met no refusal at all.
    assert len(ends) - 4 == len(lines) > REFUSALS_MIN


def test_after_kill_9_in_a_storm_of_writers_no_answered_pair_is_lost_or_torn(
    tmp_path: Path,
) -> None:
    ends = crash("storm", tmp_path)

    assert len(ends) == STORMS
    for end in ends:
        answered = set((end / "acked").read_text().split())
        past, _ = reopened(end / "state")
        stored = {name.rsplit("-", 1)[0] for name in names_of(past.seats)}
        assert answered <= stored, end
        assert len(past.seats) == 2 * len(stored), end
        assert len(stored - answered) <= STORM_TASKS, end
