"""The key of the secrets: the file beside the store, or a credential."""

from __future__ import annotations

import logging
import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import (
    KEY_FILE_BYTES_MAX,
    KEYS_MAX,
    SecretKey,
    SecretKeyError,
    SecretKeys,
)
from kong_mesh_cp.shell.store.secret_key import (
    load_secret_keys,
    new_secret_key,
    rotate_secret_key,
)
from support.fakes.users import NOBODY_UID, needs_root

KEY = SecretKey(bytes(range(32)))
OTHER = SecretKey(bytes(range(32, 64)))


def load(state: Path, credentials: Path | None = None, *, holds_sealed: bool = False) -> SecretKeys:
    return load_secret_keys(state, credentials, holds_sealed=holds_sealed)


def refusal(
    state: Path, credentials: Path | None = None, *, sealed: bool = False
) -> SecretKeyError:
    with pytest.raises(SecretKeyError) as caught:
        load(state, credentials, holds_sealed=sealed)
    assert caught.value.exit_status == 78
    return caught.value


def put(folder: Path, *keys: SecretKey, mode: int = 0o600) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "secret-key"
    path.write_bytes(SecretKeys(keys).document())
    path.chmod(mode)
    return path


def test_the_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    keys = load(tmp_path)
    path = tmp_path / "secret-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == keys.document()
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret-key"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600


def test_the_next_start_finds_it(tmp_path: Path) -> None:
    assert load(tmp_path) == load(tmp_path)
    assert load(tmp_path) == load(tmp_path, holds_sealed=True)


def test_making_it_is_reported_once_and_without_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    keys = load(tmp_path)
    load(tmp_path)
    (record,) = caplog.records
    assert record.getMessage().startswith("secret-key-made: ")
    assert keys.keys[0].line() not in caplog.text


def test_two_keys_are_never_the_same() -> None:
    assert new_secret_key() != new_secret_key()


def _load_line(state: Path) -> bytes:
    return load(state).document()


def test_of_several_that_start_at_once_all_get_the_same_key(tmp_path: Path) -> None:
    with get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(_load_line, [tmp_path] * 16, chunksize=1))) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret-key"]


def test_what_a_crash_has_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".secret-key.{os.getpid()}").write_text("half")
    assert load(tmp_path) == load(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret-key"]


def test_a_store_with_sealed_secrets_gets_no_new_key(tmp_path: Path) -> None:
    error = refusal(tmp_path, sealed=True)
    assert error.code == "secret-key-missing"
    assert str(tmp_path / "secret-key") in error.message
    assert "Restore that file from a backup" in error.hint
    assert not list(tmp_path.iterdir())


def test_a_credential_seals_and_nothing_is_made(tmp_path: Path) -> None:
    put(tmp_path / "credentials", KEY, mode=0o440)  # systemd sees to who reads it
    state = tmp_path / "state"
    state.mkdir()
    assert load(state, tmp_path / "credentials", holds_sealed=True) == SecretKeys((KEY,))
    assert not list(state.iterdir())


def test_with_a_credential_the_file_still_opens_what_it_sealed(tmp_path: Path) -> None:
    put(tmp_path / "credentials", KEY)
    put(tmp_path / "state", OTHER)
    assert load(tmp_path / "state", tmp_path / "credentials").keys == (KEY, OTHER)


def test_credentials_without_this_one_are_none(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    put(tmp_path / "state", OTHER)
    assert load(tmp_path / "state", tmp_path / "credentials").keys == (OTHER,)


@needs_root
def test_a_file_of_a_third_user_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, KEY)
    os.chown(path, NOBODY_UID, NOBODY_UID)
    error = refusal(tmp_path)
    assert error.code == "secret-key-exposed"
    assert "who can read it" in error.message
    assert str(path) in error.hint


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path, KEY, mode=mode)
    error = refusal(tmp_path)
    assert error.code == "secret-key-exposed"
    assert f"{mode:04o}" in error.message
    assert error.hint == f"Run: chmod 600 {path}"


def test_a_link_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere", KEY)
    (tmp_path / "secret-key").symlink_to(target)
    assert refusal(tmp_path).code == "secret-key-unreadable"


def test_a_folder_or_a_pipe_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "secret-key").mkdir(mode=0o700)
    assert refusal(tmp_path / "a").code == "secret-key-unreadable"
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "secret-key", 0o600)
    assert refusal(tmp_path / "b").code == "secret-key-unreadable"  # and nobody waits for a writer


@pytest.mark.parametrize("content", [b"", b"\n", b"junk", b"\xff\0", b"x" * KEY_FILE_BYTES_MAX])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, KEY)
    path.write_bytes(content)
    error = refusal(tmp_path)
    assert error.code == "secret-key-invalid"
    assert str(path) in error.message
    assert path.read_bytes() == content


def test_a_giant_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path, KEY).write_bytes(b"\n" * (KEY_FILE_BYTES_MAX + 1))
    assert "larger than" in refusal(tmp_path).message


def test_a_rotation_puts_a_new_key_first(tmp_path: Path) -> None:
    before = load(tmp_path)
    after = rotate_secret_key(tmp_path)
    assert after.keys[1:] == before.keys
    assert load(tmp_path) == after
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret-key"]


def test_there_is_nothing_to_rotate_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyError, match="there is no key to rotate"):
        rotate_secret_key(tmp_path)


def test_rotations_end_where_the_file_is_full(tmp_path: Path) -> None:
    put(tmp_path, *(SecretKey(bytes([n]) * 32) for n in range(KEYS_MAX)))
    with pytest.raises(SecretKeyError) as caught:
        rotate_secret_key(tmp_path)
    assert caught.value.code == "secret-key-full"


def test_too_many_keys_in_both_places_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "credentials", KEY)
    put(tmp_path / "state", *(SecretKey(bytes([n]) * 32) for n in range(KEYS_MAX)))
    assert refusal(tmp_path / "state", tmp_path / "credentials").code == "secret-key-full"


def test_a_folder_that_is_not_there_is_reported_as_one_of_the_state(tmp_path: Path) -> None:
    with pytest.raises(StateError) as caught:
        load(tmp_path / "missing")
    assert caught.value.code == "state-unwritable"
