"""Rows of resources in SQLite. Every function takes a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.rows import instant, instant_text
from kong_mesh_cp.shell.store.staging import Known, Staging
from kong_mesh_cp.usecases.resource_ports import (
    Applied,
    Change,
    Page,
    Selection,
    StoredResource,
    up_to,
)

_COLUMNS = (
    "type, mesh, name, version, spec, status, labels, created_at, modified_at,"
    " owner_type, owner_mesh, owner_name"
)
_Row = tuple[str, str, str, int, str, str | None, str, str, str, str | None, str | None, str | None]

_UPSERT = (
    f"INSERT INTO resource ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants
    " ON CONFLICT (type, mesh, name) DO UPDATE SET version = excluded.version,"
    " spec = excluded.spec, status = excluded.status, labels = excluded.labels,"
    " created_at = excluded.created_at, modified_at = excluded.modified_at,"
    " owner_type = excluded.owner_type, owner_mesh = excluded.owner_mesh,"
    " owner_name = excluded.owner_name"
)
# Not by a path: a label's key may hold whatever a path gives a meaning to.
_LABELLED = (
    "NOT EXISTS (SELECT 1 FROM json_each(:labels) AS wanted WHERE NOT EXISTS"
    " (SELECT 1 FROM json_each(resource.labels) AS there"
    " WHERE there.key = wanted.key AND there.value = wanted.value))"
)


class _SqliteRows:
    """`StoredRows` of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def known(self, key: ResourceKey) -> Known | None:
        row = self._connection.execute(
            "SELECT version, created_at FROM resource WHERE type = ? AND mesh = ? AND name = ?",
            key,
        ).fetchone()
        return None if row is None else Known(row[0], instant(row[1]))

    def owned_by(self, keys: Collection[ResourceKey]) -> Iterable[ResourceKey]:
        for key in keys:
            yield from map(
                ResourceKey._make,
                self._connection.execute(
                    "SELECT type, mesh, name FROM resource"
                    " WHERE owner_type = ? AND owner_mesh = ? AND owner_name = ?",
                    key,
                ),
            )


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> Applied:
    """Raises: ChangeRefusedError with nothing changed."""
    staging = Staging(_SqliteRows(connection), revision(connection))
    applied = staging.stage(changes)
    puts = [row for row in staging.rows.values() if row is not None]
    connection.executemany(_UPSERT, map(_row, puts))
    connection.executemany(
        "DELETE FROM resource WHERE type = ? AND mesh = ? AND name = ?",
        [key for key, row in staging.rows.items() if row is None],
    )
    connection.execute("UPDATE resource_revision SET revision = ?", (applied.revision,))
    return applied


def revision(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT revision FROM resource_revision").fetchone()
    return int(number)


def get_many(
    connection: sqlite3.Connection, keys: Collection[ResourceKey]
) -> dict[ResourceKey, StoredResource]:
    """Raises: ValueError for a row that no release of this program writes."""
    return {resource.key: resource for key in keys for resource in _one(connection, key)}


def _one(connection: sqlite3.Connection, key: ResourceKey) -> Iterator[StoredResource]:
    return map(
        _resource,
        connection.execute(
            f"SELECT {_COLUMNS} FROM resource WHERE type = ? AND mesh = ? AND name = ?",  # noqa: S608
            key,
        ),
    )


def page(connection: sqlite3.Connection, selection: Selection) -> Page:
    """Raises: ValueError for a row that no release of this program writes."""
    conditions = ["type = :type"]
    if selection.mesh is not None:
        conditions.append("mesh = :mesh")
    if selection.name_contains:
        conditions.append("instr(name, :part) > 0")
    if selection.labels:
        conditions.append(_LABELLED)
    selected = f"FROM resource WHERE {' AND '.join(conditions)}"
    values = {
        "type": selection.type,
        "mesh": selection.mesh,
        "part": selection.name_contains,
        "labels": _labels_text(selection),
        "limit": -1 if selection.limit is None else selection.limit,  # -1: no limit
        "offset": selection.offset,
    }
    (total,) = connection.execute(f"SELECT count(*) {selected}", values).fetchone()
    # The inner query walks the key's index; only what is on the page is read whole, row by row: a
    # CROSS JOIN keeps the order of its left side, and a sorter would hold all of them.
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM (SELECT rowid AS place {selected}"  # noqa: S608 -- constants
        " ORDER BY mesh, name LIMIT :limit OFFSET :offset)"
        " CROSS JOIN resource ON resource.rowid = place",
        values,
    )
    items = tuple(up_to(selection.bytes_max, map(_resource, rows)))
    return Page(items, total, revision(connection))


def _labels_text(labelled: StoredResource | Selection) -> str:
    return json.dumps(dict(labelled.labels), ensure_ascii=False, separators=(",", ":"))


def _row(resource: StoredResource) -> _Row:
    owner = resource.owner or (None, None, None)
    return (
        *resource.key,
        resource.version,
        resource.spec,
        resource.status,
        _labels_text(resource),
        instant_text(resource.created_at),
        instant_text(resource.modified_at),
        *owner,
    )


def _resource(row: _Row) -> StoredResource:
    type_, mesh, name, version, spec, status, labels, created_at, modified_at, *owner = row
    owner_type, owner_mesh, owner_name = owner
    return StoredResource(
        key=ResourceKey(type_, mesh, name),
        version=version,
        spec=spec,
        status=status,
        labels=json.loads(labels),
        created_at=instant(created_at),
        modified_at=instant(modified_at),
        owner=(
            None
            if owner_type is None or owner_mesh is None or owner_name is None
            else ResourceKey(owner_type, owner_mesh, owner_name)
        ),
    )
