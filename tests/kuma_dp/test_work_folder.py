"""The folder of a run: private, of one's choice, gone at the end."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.work_folder import work_folder


def test_a_folder_of_its_own_is_private_and_goes_at_the_end(tmp_path: Path) -> None:
    with work_folder("", "", str(tmp_path)) as folder:
        written = Path(folder.write("bootstrap.yaml", b"x"))
        assert written.read_bytes() == b"x"
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        assert stat.S_IMODE(written.parent.stat().st_mode) == 0o700
        assert written.parent.parent == tmp_path
        assert folder.sockets == folder.configuration
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_named_are_made_and_stay(tmp_path: Path) -> None:
    with work_folder(str(tmp_path / "a" / "b"), str(tmp_path / "s"), "") as folder:
        folder.write("bootstrap.yaml", b"x")
        assert folder.sockets == tmp_path / "s"
    assert (tmp_path / "a" / "b" / "bootstrap.yaml").read_bytes() == b"x"


def test_what_is_written_again_takes_the_place_of_the_old_at_once(tmp_path: Path) -> None:
    with work_folder(str(tmp_path), str(tmp_path), "") as folder:
        path = Path(folder.write("token", b"old"))
        before = path.stat().st_ino
        folder.write("token", b"new")
        assert path.read_bytes() == b"new"
        assert path.stat().st_ino != before
        assert [each.name for each in tmp_path.iterdir()] == ["token"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "below")
    with pytest.raises(NotMendedByWaitingError) as refused, work_folder(below, "", ""):
        pass
    assert (refused.value.code, refused.value.exit_status) == ("config-dir-unusable", 78)
