"""Files of the state directory are made anew, and never written into by another name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kong_mesh_cp.shell.store.files import read_file, replace_file, write_anew
from support.fakes.users import NOBODY_UID, needs_root


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_has_its_mode_whatever_a_crash_has_left(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.tmp").write_text("half")
    (tmp_path / "a.tmp").chmod(0o666)
    umask = os.umask(0)
    try:
        replace_file(tmp_path / "a", b"new", mode=mode)
    finally:
        os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_the_way_leads_nowhere(tmp_path: Path, link: object) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    assert callable(link)
    link(tmp_path / "a.tmp", precious)
    replace_file(tmp_path / "a", b"new")
    assert precious.read_text() == "precious"
    assert read_file(tmp_path / "a") == b"new"


def test_a_link_in_place_of_a_file_is_not_read(tmp_path: Path) -> None:
    write_anew(tmp_path / "a", b"content", mode=0o600)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links"):
        read_file(tmp_path / "b")


@needs_root
def test_what_root_makes_is_the_owners_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY_UID, NOBODY_UID)
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").stat().st_uid == NOBODY_UID
