"""The password of PostgreSQL in a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.shell.store.postgres.password import (
    PASSWORD_BYTES_MAX,
    find_password,
    read_password,
)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" with spaces \n", " with spaces "),
        ("gehe\u00efm\n".encode(), "gehe\u00efm"),
    ],
)
def test_a_line_break_at_the_end_does_not_count(
    tmp_path: Path, content: bytes, password: str
) -> None:
    (tmp_path / "p").write_bytes(content)
    assert read_password(tmp_path / "p") == find_password(tmp_path / "p") == password


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * (PASSWORD_BYTES_MAX + 1), b"a\0b"]
)
def test_what_can_be_no_password_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(ConfigurationError) as failure:
        read_password(tmp_path / "p")
    assert failure.value.code == "store-password-file"
    assert str(tmp_path / "p") in failure.value.line
    assert "two" not in failure.value.line


def test_a_file_that_is_not_there_is_an_error_only_for_who_named_it(tmp_path: Path) -> None:
    assert find_password(tmp_path / "none") is None
    with pytest.raises(ConfigurationError, match="No such file"):
        read_password(tmp_path / "none")


def test_a_pipe_does_not_stop_a_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    with pytest.raises(ConfigurationError):
        read_password(tmp_path / "p")
