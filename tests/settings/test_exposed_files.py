"""A configuration file is nothing that everybody writes, nor one with secrets that everybody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.settings.loading import load
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.problems import SettingsRejectedError
from support.specs.configurations import toml

CANARY = "canary-of-a-password"
WITH_SECRET = f"[store.postgres]\npassword = '{CANARY}'\n"


def warnings(path: Path) -> tuple[str, ...]:
    loaded = load(
        arguments={"--config-file": str(path)},
        environ={"KUMA_GENERAL_WORK_DIR": str(path.parent)},
        default_file=path,
    )
    return loaded.warnings


def test_one_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    path = toml(tmp_path, "")
    path.chmod(0o666)
    with pytest.raises(SettingsRejectedError) as refused:
        warnings(path)
    assert refused.value.code == "config-writable"
    assert refused.value.hint.endswith(f"chmod o-w {path}")


@pytest.mark.parametrize(
    ("text", "mode", "is_warned_of"),
    [
        (WITH_SECRET, 0o644, True),
        (WITH_SECRET, 0o640, False),
        (WITH_SECRET, 0o600, False),
        ("", 0o644, False),
    ],
)
def test_one_with_a_secret_that_everybody_can_read_is_warned_of(
    tmp_path: Path, text: str, mode: int, is_warned_of: bool
) -> None:
    path = toml(tmp_path, text)
    path.chmod(mode)
    said = " ".join(warnings(path))
    assert ("config-exposed: " in said) == is_warned_of
    assert CANARY not in said


def test_no_secret_can_be_given_as_a_flag() -> None:
    secrets = [row for row in rows() if row.option.secret]
    assert secrets
    assert [row.path for row in secrets if row.option.flag] == []
