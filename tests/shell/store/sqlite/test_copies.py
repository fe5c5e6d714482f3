"""trial.json and clock.json: written whole, read with suspicion."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.files import SMALL_FILE_BYTES_MAX
from kong_mesh_cp.shell.store.sqlite.copies import Copies, merged
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.stores import AT, later, mark

NOTHING = Remembered(high_water={})
TRIAL = '{"version": 1, "started_at": "2026-11-21T12:30:15.123456+00:00"}'


def test_what_is_saved_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    Copies(tmp_path).save_trial_start(AT)
    Copies(tmp_path).save_clock(mark())

    assert Copies(tmp_path).read() == Remembered(trial_started_at=AT, clock=mark(), high_water={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clock.json", "trial.json"]


def test_the_copies_can_be_read_by_a_person(tmp_path: Path) -> None:
    Copies(tmp_path).save_trial_start(AT)

    assert (tmp_path / "trial.json").read_text() == (
        '{\n "version": 1,\n "started_at": "2026-11-21T12:30:15.123456+00:00"\n}\n'
    )


def test_missing_copies_are_no_remark(tmp_path: Path) -> None:
    assert Copies(tmp_path).read() == NOTHING
    assert Copies(tmp_path / "missing").read() == NOTHING


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "there is nothing in it"),
        ("garbage", "expecting value"),
        ("[]", "it is not a JSON object"),
        ("{}", "its version is not 1"),
        (TRIAL.replace("1,", "2,"), "its version is not 1"),
        (TRIAL.replace("started_at", "ended_at"), "started_at is missing or not text"),
        ('{"version": 1, "started_at": 7}', "started_at is missing or not text"),
        ('{"version": 1, "started_at": "soon"}', "started_at is not an instant"),
        (TRIAL.replace("+00:00", ""), "started_at is not an instant"),
        (TRIAL.replace("+00:00", "+01:00"), "started_at is not an instant"),
        (TRIAL.replace("2026", "0000"), "started_at is not an instant"),
        (TRIAL + "}", "extra data"),
        ("[" * 4000, "nested more than"),
        (TRIAL + " " * SMALL_FILE_BYTES_MAX, f"larger than {SMALL_FILE_BYTES_MAX} bytes"),
        ("\ufeff" + TRIAL, "byte order mark"),
    ],
)
def test_a_broken_copy_is_one_line_that_names_place_and_problem(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "trial.json").write_text(content)

    past = Copies(tmp_path).read()

    assert past.trial_started_at is None
    (remark,) = past.remarks
    assert remark.startswith(f"state-copy-broken: {tmp_path}/trial.json is not usable: ")
    assert problem in remark
    assert remark.isprintable()


@pytest.mark.parametrize("field", ["boot_id", "boottime_seconds", "ahead_seconds", "lead_seconds"])
@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_clock_mark_with_one_unusable_field_is_not_used(
    tmp_path: Path, field: str, value: object
) -> None:
    Copies(tmp_path).save_clock(mark())
    fields = json.loads((tmp_path / "clock.json").read_text())
    (tmp_path / "clock.json").write_text(json.dumps({**fields, field: value}))

    past = Copies(tmp_path).read()
    assert past.clock is None
    assert f"{field} is missing or not" in past.remarks[0]


@given(st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_fact_or_a_remark(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("copies")
    (directory / "trial.json").write_bytes(content)
    (directory / "clock.json").write_bytes(content)

    assert len(Copies(directory).read().remarks) == 2


def test_what_is_no_file_is_a_remark_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "trial.json").mkdir()
    os.mkfifo(tmp_path / "clock.json")

    assert len(Copies(tmp_path).read().remarks) == 2


@pytest.mark.parametrize("obstacle", ["trial.json", "trial.json.tmp"])
def test_a_copy_that_cannot_be_written_is_reported(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / obstacle).mkdir()

    with pytest.raises(StateError) as refused:
        Copies(tmp_path).save_trial_start(AT)
    assert refused.value.code == "state-unwritable"
    assert f"{tmp_path}/trial.json" in refused.value.message


def test_a_temporary_file_left_by_a_crash_is_in_no_ones_way(tmp_path: Path) -> None:
    (tmp_path / "trial.json.tmp").write_text("half of something much longer" * 100)

    Copies(tmp_path).save_trial_start(AT)
    assert Copies(tmp_path).read().trial_started_at == AT


INSTANTS = st.none() | st.integers(-3, 3).map(later)


@given(INSTANTS, INSTANTS, INSTANTS, INSTANTS)
def test_merging_keeps_the_earlier_trial_and_the_clock_that_has_seen_more(
    one_trial: datetime | None,
    two_trial: datetime | None,
    one_seen: datetime | None,
    two_seen: datetime | None,
) -> None:
    one, two = past(one_trial, one_seen), past(two_trial, two_seen)
    both = merged(one, two)

    trials = [at for at in (one.trial_started_at, two.trial_started_at) if at]
    seen = [clock.seen for clock in (one.clock, two.clock) if clock]
    assert both.trial_started_at == (min(trials) if trials else None)
    assert (both.clock.seen if both.clock else None) == (max(seen) if seen else None)
    assert merged(two, one) == both
    assert merged(both, both) == both


def past(trial: datetime | None, seen: datetime | None) -> Remembered:
    clock = mark(seen) if seen else None
    return Remembered(trial_started_at=trial, clock=clock, high_water={})
