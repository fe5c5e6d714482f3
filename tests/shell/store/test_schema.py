"""Which files are stores, and how they become current ones: a step whole or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.volume import size_of
from kong_mesh_cp.shell.store.schema import (
    APPLICATION_ID,
    Migration,
    all_migrations,
    migrate,
    recognise,
)

NEWEST = all_migrations()[-1].number
FIRST = Migration(1, "CREATE TABLE one (x);")
SECOND = Migration(2, "CREATE TABLE two (x); INSERT INTO two VALUES (2);")
BROKEN = Migration(
    2, "CREATE TABLE two (x); INSERT INTO two VALUES (2); INSERT INTO missing VALUES (1);"
)


@contextmanager
def database(path: Path | str = ":memory:") -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
    ]


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [step.number for step in all_migrations()] == list(range(1, NEWEST + 1))


def test_an_empty_file_becomes_a_store_of_the_newest_version() -> None:
    with database() as connection:
        migrate(connection, "x")

        assert recognise(connection, "x", NEWEST) == NEWEST
        assert tables(connection) == [
            "audit_log",
            "clock_mark",
            "high_water",
            "meta",
            "resource",
            "resource_revision",
            "seats",
            "trial",
        ]


def test_migrating_a_current_store_changes_nothing() -> None:
    with database() as connection:
        migrate(connection, "x")
        before = list(connection.iterdump())
        migrate(connection, "x")

        assert list(connection.iterdump()) == before


def test_only_the_missing_steps_are_made() -> None:
    with database() as connection:
        migrate(connection, "x", [FIRST])
        migrate(connection, "x", [FIRST, SECOND])

        assert tables(connection) == ["one", "two"]
        assert version(connection) == 2


def test_a_step_that_fails_is_undone_whole_and_the_steps_before_it_stay() -> None:
    with database() as connection:
        with pytest.raises(sqlite3.OperationalError, match="missing"):
            migrate(connection, "x", [FIRST, BROKEN])

        assert not connection.in_transaction
        assert (tables(connection), version(connection)) == (["one"], 1)


def test_a_store_whose_step_failed_can_be_migrated_by_a_mended_release() -> None:
    with database() as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, "x", [FIRST, BROKEN])
        migrate(connection, "x", [FIRST, SECOND])

        assert (tables(connection), version(connection)) == (["one", "two"], 2)


def test_a_store_of_a_newer_release_is_refused_untouched() -> None:
    with database() as connection:
        migrate(connection, "x")
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
        before = list(connection.iterdump())

        with pytest.raises(StateError) as refusal:
            migrate(connection, "/var/lib/x/store.db")

        assert refusal.value.code == "store-newer"
        assert "/var/lib/x/store.db was made by a newer release" in refusal.value.line
        assert list(connection.iterdump()) == before


@pytest.mark.parametrize(
    "make",
    [
        "PRAGMA application_id = 0x42424242",
        "PRAGMA user_version = 1",
        "CREATE TABLE bookmarks (url)",
    ],
)
def test_another_programs_database_is_refused_untouched(make: str) -> None:
    with database() as connection:
        connection.execute(make)
        before = list(connection.iterdump())

        with pytest.raises(StateError) as refusal:
            migrate(connection, "x")

        assert refusal.value.code == "store-foreign"
        assert refusal.value.exit_status == 73
        assert list(connection.iterdump()) == before


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    with database(tmp_path / "store.db") as connection:
        migrate(connection, "x")

    assert (tmp_path / "store.db").read_bytes()[68:72] == b"KMCP"
    assert APPLICATION_ID.to_bytes(4, "big") == b"KMCP"


def test_the_audit_log_cannot_be_rewritten() -> None:
    with database() as connection:
        migrate(connection, "x")
        connection.execute(
            "INSERT INTO audit_log (at, actor, action, reason) VALUES ('t', 'a', 'b', 'c')"
        )

        for attempt in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                connection.execute(attempt)


def test_what_an_older_release_has_stored_is_counted() -> None:
    before, volume = all_migrations()[:2], all_migrations()[2]
    rows = [
        ("Mesh", "", "m", '{"é": 1}', None, "{}"),
        ("Secret", "m", "s", "{}", '{"a": 1}', '{"k\\u00e9": "v", "l": ""}'),
        ("Dataplane", "m", "dp", "{}", None, '{"a": "bc"}'),
        ("DataplaneInsight", "m", "dp", "{}", None, "{}"),
        ("AdmissionRun", "", "this", "{}", None, "{}"),
    ]
    with database() as connection:
        migrate(connection, "x", before)
        for type_, mesh, name, spec, status, labels in rows:
            connection.execute(
                "INSERT INTO resource (type, mesh, name, version, spec, status, labels, created_at,"
                " modified_at) VALUES (?, ?, ?, 1, ?, ?, ?, '', '')",
                (type_, mesh, name, spec, status, labels),
            )
        migrate(connection, "x", [*before, volume])

        sizes = [
            size_of(spec, status, json.loads(labels)) for _, _, _, spec, status, labels in rows
        ]
        kept = connection.execute("SELECT size FROM resource ORDER BY rowid").fetchall()
        assert [size for (size,) in kept] == sizes
        counted = connection.execute(
            "SELECT dataplane_items, dataplane_bytes, other_items, other_bytes"
            " FROM resource_revision"
        ).fetchone()
        assert counted == (1, sizes[2], 2, sizes[0] + sizes[1])
