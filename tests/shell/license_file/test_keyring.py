from __future__ import annotations

import os
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.license.keyring import KEYRING_BYTES_MAX, Keyring
from kong_mesh_cp.shell.license_file.keyring import BUILT_IN, read_keyring
from support.fakes.users import NOBODY_UID, needs_root
from support.licenses.licenses import KEYRING, keyring_json


def refusal(path: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read_keyring(path)
    assert str(path) in caught.value.message
    assert "--license-keyring" in caught.value.message
    return caught.value


def test_the_keyring_of_the_source_tree_is_empty() -> None:
    assert read_keyring() == Keyring()
    assert BUILT_IN.read_bytes() == b"[]\n"


def test_the_command_line_may_name_another_one(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.write_bytes(keyring_json())
    path.chmod(0o644)
    assert read_keyring(path) == KEYRING


def test_a_keyring_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.write_bytes(keyring_json())
    path.chmod(0o666)
    assert refusal(path).code == "keyring-unreadable"


@needs_root
def test_a_keyring_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.write_bytes(keyring_json())
    path.chmod(0o644)
    os.chown(path, NOBODY_UID, NOBODY_UID)
    error = refusal(path)
    assert error.code == "keyring-unreadable"
    assert "who then could add trust" in error.message
    assert "belongs to root" in error.hint


def test_a_link_to_a_keyring_is_followed_and_the_keyring_itself_is_checked(tmp_path: Path) -> None:
    path, link = tmp_path / "keyring.json", tmp_path / "..data"
    path.write_bytes(keyring_json())
    path.chmod(0o644)
    link.symlink_to(path)
    assert read_keyring(link) == KEYRING
    path.chmod(0o646)
    assert refusal(link).code == "keyring-unreadable"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "missing"):
        assert refusal(path).code == "keyring-unreadable"


def test_a_broken_or_huge_keyring_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    for content in (b"{}", b"[" * KEYRING_BYTES_MAX * 2):
        path.write_bytes(content)
        path.chmod(0o644)
        assert refusal(path).code == "keyring-invalid"


def test_a_path_with_control_characters_stays_on_one_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_keyring(Path("/no\nwhere\0"))
    assert caught.value.line.isprintable()
