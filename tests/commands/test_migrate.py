"""`migrate up` on the store of this machine."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kong_mesh_cp.cli import main
from kong_mesh_cp.core.errors import EX_CANTCREAT
from kong_mesh_cp.shell.store.schema import all_migrations
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory

NEWEST = all_migrations()[-1].number


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUMA_GENERAL_WORK_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_store_is_made_once(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = state / "store.db"
    assert main(["migrate", "up"]) == 0
    assert capsys.readouterr().out == f"the store {store} was made (version {NEWEST})\n"
    assert main(["migrate", "up"]) == 0
    assert capsys.readouterr().out == f"the store {store} is current (version {NEWEST})\n"


def test_an_older_store_is_migrated(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "up"]) == 0
    first, *_ = all_migrations()
    (state / "store.db").unlink()
    with closing(sqlite3.connect(state / "store.db")) as connection:
        connection.executescript(first.sql)
        connection.execute(f"PRAGMA application_id = {0x4B4D4350}")
        connection.execute("PRAGMA user_version = 1")
    capsys.readouterr()
    assert main(["migrate", "up"]) == 0
    assert f"was migrated from version 1 to {NEWEST}\n" in capsys.readouterr().out


def test_a_store_in_use_is_left_alone(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StateDirectory.open(state):
        assert main(["migrate", "up"]) == EX_CANTCREAT
    assert "state-locked: " in capsys.readouterr().err


def test_a_store_in_memory_has_nothing_to_migrate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUMA_STORE_TYPE", "memory")
    assert main(["migrate", "up"]) == 1
    assert capsys.readouterr().err.startswith("kong-mesh-cp: nothing-to-migrate: ")
