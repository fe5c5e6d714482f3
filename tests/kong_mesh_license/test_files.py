from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kong_mesh_license import files
from kong_mesh_license.errors import VendorToolError


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> object:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    files.create(tmp_path / "new", b"secret", mode=files.SECRET_MODE)
    assert mode_of(tmp_path / "new") == 0o600

    open_to_all = tmp_path / "old"
    open_to_all.write_bytes(b"old")
    open_to_all.chmod(0o644)
    files.replace(open_to_all, b"secret", mode=files.SECRET_MODE)
    assert mode_of(open_to_all) == 0o600


def test_a_file_that_exists_is_not_created_over(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    files.create(path, b"first", mode=files.SECRET_MODE)
    with pytest.raises(VendorToolError, match="never overwritten"):
        files.create(path, b"second", mode=files.SECRET_MODE)
    assert path.read_bytes() == b"first"


def test_a_dangling_link_is_not_created_through(tmp_path: Path) -> None:
    link = tmp_path / "key.pem"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VendorToolError, match="never overwritten"):
        files.create(link, b"secret", mode=files.SECRET_MODE)
    assert not (tmp_path / "elsewhere").exists()


def test_a_refused_replacement_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(VendorToolError) as caught:
        files.replace(folder, b"content", mode=files.PUBLIC_MODE)
    assert caught.value.code == "file-unusable"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, Path("nul\0inside")):
        with pytest.raises(VendorToolError) as caught:
            files.read(path, "key")
        assert caught.value.code == "file-unusable"
        assert caught.value.line.isprintable()


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(b"x" * (files.FILE_BYTES_MAX + 1))
    with pytest.raises(VendorToolError) as caught:
        files.read(path, "keyring")
    assert caught.value.code == "file-too-large"
