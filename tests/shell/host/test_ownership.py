"""Whose files are believed: root's and one's own, that not everybody can write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kong_mesh_cp.shell.host.ownership import distrust, exposure
from support.fakes.users import NOBODY_UID, needs_root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664])
def test_ones_own_is_believed(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert distrust(file.stat()) is None


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o646])
def test_what_everybody_can_write_is_not(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert distrust(file.stat()) == "may be written by everybody"


@needs_root
def test_what_another_user_owns_is_not_unless_it_may_be_theirs(file: Path) -> None:
    os.chown(file, NOBODY_UID, NOBODY_UID)
    assert str(distrust(file.stat())).startswith("belongs to ")
    assert distrust(file.stat(), NOBODY_UID) is None


@pytest.mark.parametrize(("mode", "is_exposed"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_secret_that_everybody_can_read_is_exposed(
    file: Path, mode: int, is_exposed: bool
) -> None:
    file.chmod(mode)
    said = exposure(file)
    assert (said is not None) == is_exposed
    assert said is None or said.endswith(f"Run: chmod o-r {file}")


def test_a_file_that_is_not_there_is_reported_by_whoever_reads_it(tmp_path: Path) -> None:
    assert exposure(tmp_path / "absent") is None
