"""Files that users choose: little can be done with one, and what is wrong is told in Go's words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kong_mesh_cp.shell.host.authority_files import FILE_BYTES_MAX, read_authority_file
from kong_mesh_cp.usecases.resources.provided_authorities import FileUnreadableError


def refusal(path: str) -> str:
    with pytest.raises(FileUnreadableError) as error:
        read_authority_file(path)
    return error.value.reason


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"x" * FILE_BYTES_MAX)
    assert read_authority_file(str(path)) == b"x" * FILE_BYTES_MAX
    path.write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    assert refusal(str(path)) == f"read {path}: has more than {FILE_BYTES_MAX} bytes"


def test_what_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    missing = tmp_path / "no.pem"
    assert refusal(str(missing)) == f"open {missing}: no such file or directory"
    assert refusal("no.pem") == "open no.pem: no such file or directory"
    assert refusal(str(tmp_path)) == f"read {tmp_path}: is a directory"
    assert refusal("/etc/\0") == "open /etc/\0: invalid argument"
    assert refusal("/" + "x" * 5000).endswith(": file name too long")


def test_nothing_but_a_regular_file_is_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refusal(str(fifo)) == f"open {fifo}: is no regular file"
    assert refusal("/dev/zero") == "open /dev/zero: is no regular file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"x")
    path.chmod(0)
    assert refusal(str(path)) == f"open {path}: permission denied"
