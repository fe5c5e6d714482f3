"""The key that seals secrets has to lie where the next start looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.core.identity.secrets_at_rest import SecretKeys
from kong_mesh_cp.shell.store.kept_key import KeptKey
from kong_mesh_cp.shell.store.secret_key import load_secret_keys, new_secret_key, rotate_secret_key


def made(directory: Path) -> SecretKeys:
    return load_secret_keys(directory, None, holds_sealed=False)


def code(kept: KeptKey) -> str:
    fault = kept.look()
    return "" if fault is None else fault.code


def test_a_key_that_is_taken_away_and_put_back_is_noticed(tmp_path: Path) -> None:
    keys = made(tmp_path)
    kept, path = KeptKey(tmp_path, None, lambda: keys), tmp_path / "secret-key"
    assert code(kept) == ""
    path.rename(tmp_path / "aside")
    assert code(kept) == "secret-key-gone"
    (tmp_path / "aside").rename(path)
    assert code(kept) == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "secret-key-invalid"), (b"junk", "secret-key-invalid")],
)
def test_a_key_that_was_written_over_is_noticed(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    keys = made(tmp_path)
    kept = KeptKey(tmp_path, None, lambda: keys)
    assert code(kept) == ""
    (tmp_path / "secret-key").write_bytes(content)
    assert code(kept) == expected


def test_another_key_is_noticed_and_more_keys_are_none_of_its_business(tmp_path: Path) -> None:
    keys = made(tmp_path)
    kept = KeptKey(tmp_path, None, lambda: keys)
    rotate_secret_key(tmp_path)
    assert code(kept) == ""
    (tmp_path / "secret-key").write_bytes(SecretKeys((new_secret_key(),)).document())
    assert code(kept) == "secret-key-replaced"


def test_a_key_that_is_gone_is_written_again_when_asked_and_nothing_else_is_replaced(
    tmp_path: Path,
) -> None:
    keys, path = made(tmp_path), tmp_path / "secret-key"
    kept, content = KeptKey(tmp_path, None, lambda: keys), path.read_bytes()
    path.unlink()
    kept.restore()
    assert path.read_bytes() == content
    assert code(kept) == ""
    path.write_bytes(b"junk")
    kept.restore()
    assert path.read_bytes() == b"junk"


def test_a_credential_is_enough(tmp_path: Path) -> None:
    state, credentials = tmp_path / "state", tmp_path / "credentials"
    state.mkdir()
    credentials.mkdir()
    keys = SecretKeys((new_secret_key(),))
    (credentials / "secret-key").write_bytes(keys.document())
    assert code(KeptKey(state, credentials, lambda: keys)) == ""
