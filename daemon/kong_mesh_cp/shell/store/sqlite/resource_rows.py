"""Rows of resources in SQLite. Every function takes a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Totals, Volume
from kong_mesh_cp.shell.store.rows import instant, instant_text
from kong_mesh_cp.shell.store.sealed_documents import (
    HEAD_CHARACTERS,
    SEALED_TYPES,
    Rewrite,
    counted_by_key,
)
from kong_mesh_cp.shell.store.staging import Known, Staging
from kong_mesh_cp.shell.store.unsound import (
    UnsoundRowError,
    UnsoundRows,
    labels_of,
    require_object,
)
from kong_mesh_cp.usecases.ports.resource_store import (
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
_ONE = "type = ? AND mesh = ? AND name = ?"
_Row = tuple[str, str, str, int, str, str | None, str, str, str, str | None, str | None, str | None]

_UPSERT = (
    f"INSERT INTO resource ({_COLUMNS}, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants
    " ON CONFLICT (type, mesh, name) DO UPDATE SET version = excluded.version,"
    " spec = excluded.spec, status = excluded.status, labels = excluded.labels,"
    " created_at = excluded.created_at, modified_at = excluded.modified_at,"
    " owner_type = excluded.owner_type, owner_mesh = excluded.owner_mesh,"
    " owner_name = excluded.owner_name, size = excluded.size"
)
_GET = f"SELECT {_COLUMNS} FROM resource WHERE {_ONE}"  # noqa: S608
_REMOVAL = "DELETE FROM resource WHERE type = ? AND mesh = ? AND name = ?"
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
            "SELECT version, created_at, size FROM resource"
            " WHERE type = ? AND mesh = ? AND name = ?",
            key,
        ).fetchone()
        return None if row is None else Known(row[0], _created(row[1]), row[2])

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


def _created(text: object) -> datetime:
    """As `instant`; the epoch for what is none, so that such a row can be written anew."""
    try:
        return instant(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> Applied:
    """Raises: ChangeRefusedError with nothing changed."""
    staging = Staging(_SqliteRows(connection), *_revision_and_totals(connection))
    applied = staging.stage(changes)
    puts = [_row(row, staging.sizes[key]) for key, row in staging.rows.items() if row is not None]
    connection.executemany(_UPSERT, puts)
    if len(puts) < len(staging.rows):
        gone = [key for key, row in staging.rows.items() if row is None]
        connection.executemany(_REMOVAL, gone)
    connection.execute(
        "UPDATE resource_revision SET revision = ?, dataplane_items = ?, dataplane_bytes = ?,"
        " other_items = ?, other_bytes = ?",
        (applied.revision, *staging.totals.dataplanes, *staging.totals.others),
    )
    return applied


def reseal(connection: sqlite3.Connection, rewrite: Rewrite) -> int:
    """See `SealedRows.reseal`. Takes a connection inside of a transaction."""
    keys = connection.execute(
        "SELECT type, mesh, name FROM resource WHERE type IN (?, ?)", SEALED_TYPES
    ).fetchall()
    count = 0
    for key in keys:
        (spec,) = connection.execute(f"SELECT spec FROM resource WHERE {_ONE}", key).fetchone()  # noqa: S608
        written = rewrite(ResourceKey(*key), spec)
        if written is not None:
            connection.execute(f"UPDATE resource SET spec = ? WHERE {_ONE}", (written, *key))  # noqa: S608
            count += 1
    return count


def sealed_by(connection: sqlite3.Connection) -> Mapping[str, int]:
    """See `SealedRows.sealed_by`."""
    heads = connection.execute(
        "SELECT substr(spec, 1, ?) FROM resource WHERE type IN (?, ?)",
        (HEAD_CHARACTERS, *SEALED_TYPES),
    )
    return counted_by_key(head for (head,) in heads)


def _revision_and_totals(connection: sqlite3.Connection) -> tuple[int, Totals]:
    revision, *counted = connection.execute(
        "SELECT revision, dataplane_items, dataplane_bytes, other_items, other_bytes"
        " FROM resource_revision"
    ).fetchone()
    return revision, Totals(Volume(*counted[:2]), Volume(*counted[2:]))


def revision(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT revision FROM resource_revision").fetchone()
    return int(number)


def get_many(
    connection: sqlite3.Connection, keys: Collection[ResourceKey], unsound: UnsoundRows
) -> dict[ResourceKey, StoredResource]:
    """Raises: StateError `store-row-unsound`."""
    return {
        resource.key: resource
        for key in keys
        for resource in unsound.found(connection.execute(_GET, key), _resource)
    }


def get_few(
    connection: sqlite3.Connection, keys: Sequence[ResourceKey], unsound: UnsoundRows
) -> dict[ResourceKey, StoredResource]:
    """As `get_many`, in one statement, whose text grows with the keys; there is one at least."""
    selects = " UNION ALL ".join([_GET] * len(keys))
    rows = connection.execute(selects, [part for key in keys for part in key]).fetchall()
    return {resource.key: resource for resource in unsound.found(rows, _resource)}


def page(connection: sqlite3.Connection, selection: Selection, unsound: UnsoundRows) -> Page:
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
    items = tuple(up_to(selection.bytes_max, unsound.sound(rows, _resource)))
    return Page(items, total, revision(connection))


def _labels_text(labelled: StoredResource | Selection) -> str:
    return json.dumps(dict(labelled.labels), ensure_ascii=False, separators=(",", ":"))


def _row(resource: StoredResource, size: int) -> tuple[object, ...]:
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
        size,
    )


def _resource(row: _Row) -> StoredResource:
    """Raises: UnsoundRowError."""
    type_, mesh, name, version, spec, status, labels, created_at, modified_at, *owner = row
    owner_type, owner_mesh, owner_name = owner
    key = ResourceKey(type_, mesh, name)
    require_object(key, "spec", spec)
    if status is not None:
        require_object(key, "status", status)
    try:
        made_at = instant(created_at)
        times = made_at, made_at if modified_at == created_at else instant(modified_at)
    except (TypeError, ValueError):
        raise UnsoundRowError(key, "its times are none") from None
    return StoredResource(
        key=key,
        version=version,
        spec=spec,
        status=status,
        labels=labels_of(key, labels),
        created_at=times[0],
        modified_at=times[1],
        owner=(
            None
            if owner_type is None or owner_mesh is None or owner_name is None
            else ResourceKey(owner_type, owner_mesh, owner_name)
        ),
    )
