"""Rows of resources in PostgreSQL: many of them in one statement. Takes a connection."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.failures import missing
from kong_mesh_cp.shell.store.postgres.text import (
    given_back,
    given_back_labels,
    kept,
    kept_labels,
)
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
from kong_mesh_cp.usecases.ports.resource_store import Page, Selection, StoredResource, up_to

_COLUMNS = (
    "type, mesh, name, version, spec, status, labels, created_at, modified_at,"
    " owner_type, owner_mesh, owner_name"
)
# Of what is no instant to Python, as "infinity" or one before Christ, only that much is read.
_INSTANT = "CASE WHEN {0} BETWEEN '0001-01-02' AND '9999-12-30' THEN {0} END"
_READ = (
    "type, mesh, name, version, spec, status, labels::text AS labels,"
    f" {_INSTANT.format('created_at')} AS created_at,"
    f" {_INSTANT.format('modified_at')} AS modified_at, owner_type, owner_mesh, owner_name"
)
_CREATED = f"coalesce({_INSTANT.format('created_at')}, 'epoch') AS created_at"
_ONE = "type = %s AND mesh = %s AND name = %s"
# One parameter for any number of rows: a round trip and a plan for all of them. The LIMIT keeps
# the planner from reading the whole table where it knows no statistics (a few keys look like
# many to it).
_KEYS = "json_to_recordset(%s::json) AS k (type text, mesh text, name text)"
_KNOWN = (
    f"SELECT r.* FROM {_KEYS}, LATERAL (SELECT type, mesh, name, version, {_CREATED}, size"  # noqa: S608 -- constants
    " FROM resource AS r WHERE r.type = k.type AND r.mesh = k.mesh AND r.name = k.name LIMIT 1"
    ") AS r"
)
_GET_ONE = f"SELECT {_READ} FROM resource WHERE {_ONE}"  # noqa: S608
_GET = (
    f"SELECT r.* FROM {_KEYS}, LATERAL (SELECT {_READ}"  # noqa: S608
    " FROM resource AS r WHERE r.type = k.type AND r.mesh = k.mesh AND r.name = k.name LIMIT 1"
    ") AS r"
)
# The length of a text is known without reading all of it.
_MEASURED = (
    "SELECT p.*, coalesce(sum(size) OVER (ORDER BY mesh, name"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM"
    " (SELECT type, mesh, name, octet_length(spec) + coalesce(octet_length(status), 0) AS size"
    " {selected} ORDER BY mesh, name LIMIT %(limit)s OFFSET %(offset)s) AS p"
)
_OWNED = (
    f"SELECT r.type, r.mesh, r.name, r.version, {_CREATED}, r.size FROM resource AS r"  # noqa: S608
    f" JOIN {_KEYS} ON (r.owner_type, r.owner_mesh, r.owner_name) = (k.type, k.mesh, k.name)"
)
_DELETE = (
    f"DELETE FROM resource AS r USING {_KEYS}"  # noqa: S608
    " WHERE (r.type, r.mesh, r.name) = (k.type, k.mesh, k.name)"
)
_UPSERT = (
    f"INSERT INTO resource ({_COLUMNS}, size) SELECT {_COLUMNS}, size"  # noqa: S608
    " FROM json_to_recordset(%s::json) AS r"
    " (type text, mesh text, name text, version bigint, spec text, status text, labels jsonb,"
    " created_at timestamptz, modified_at timestamptz,"
    " owner_type text, owner_mesh text, owner_name text, size bigint)"
    " ON CONFLICT (type, mesh, name) DO UPDATE SET version = excluded.version,"
    " spec = excluded.spec, status = excluded.status, labels = excluded.labels,"
    " created_at = excluded.created_at, modified_at = excluded.modified_at,"
    " owner_type = excluded.owner_type, owner_mesh = excluded.owner_mesh,"
    " owner_name = excluded.owner_name, size = excluded.size"
)


class PostgresRows:
    """`StoredRows` of one transaction, which holds the lock of all who write."""

    def __init__(self, connection: Connection, keys: Collection[ResourceKey]) -> None:
        self._connection = connection
        self._known: dict[ResourceKey, Known | None] = dict.fromkeys(keys)
        if keys:
            self._take(_KNOWN, keys)

    def known(self, key: ResourceKey) -> Known | None:
        if key not in self._known:
            self._known[key] = None
            self._take(_KNOWN, [key])
        return self._known[key]

    def owned_by(self, keys: Collection[ResourceKey]) -> Iterable[ResourceKey]:
        return self._take(_OWNED, keys)

    def _take(self, question: str, keys: Collection[ResourceKey]) -> list[ResourceKey]:
        found = []
        for type_, mesh, name, version, created_at, size in self._connection.execute(
            question.encode(), (_keys(keys),)
        ):
            found.append(_key(type_, mesh, name))
            self._known[found[-1]] = Known(version, created_at.astimezone(UTC), size)
        return found


def write_out(connection: Connection, staging: Staging) -> None:
    """Make the table say what `staging` has come to."""
    rows = staging.rows
    # What gets a new owner has left the old one before that one goes.
    if puts := [_row(row, staging.sizes[key]) for key, row in rows.items() if row is not None]:
        connection.execute(_UPSERT.encode(), (json.dumps(puts),))
    if gone := [key for key, row in rows.items() if row is None]:
        connection.execute(_DELETE.encode(), (_keys(gone),))


def revision(connection: Connection) -> int:
    row = connection.execute("SELECT revision FROM store").fetchone()
    if row is None:
        raise missing("store")
    return int(row[0])


def get_many(
    connection: Connection, keys: Sequence[ResourceKey], unsound: UnsoundRows
) -> dict[ResourceKey, StoredResource]:
    """Raises: StateError `store-row-unsound`."""
    if len(keys) == 1:
        rows = connection.execute(_GET_ONE.encode(), [kept(part) for part in keys[0]])
    else:
        rows = connection.execute(_GET.encode(), (_keys(set(keys)),))
    found = unsound.found(rows, _resource)
    return {resource.key: resource for resource in found}


def page(connection: Connection, selection: Selection, unsound: UnsoundRows) -> Page:
    conditions = ["type = %(type)s"]
    if selection.mesh is not None:
        conditions.append("mesh = %(mesh)s")
    if selection.name_contains:
        conditions.append("strpos(name, %(part)s) > 0")
    if selection.labels:
        conditions.append("labels @> %(labels)s::jsonb")
    selected = f"FROM resource WHERE {' AND '.join(conditions)}"
    keys = (
        f"(SELECT type, mesh, name {selected} ORDER BY mesh, name"
        " LIMIT %(limit)s OFFSET %(offset)s)"
    )
    if selection.bytes_max is not None:
        # Most of what the page has no room for stays in the database; `up_to` is exact.
        measured = _MEASURED.format(selected=selected)
        keys = f"(SELECT * FROM ({measured}) AS m WHERE before <= %(bytes)s)"  # noqa: S608
    # One statement, so that all of it is of one moment. The innermost part walks the key's index;
    # only what is on the page is read whole.
    question = (
        f"SELECT s.revision, c.total, p.* FROM store AS s CROSS JOIN"  # noqa: S608 -- constants
        f" (SELECT count(*) AS total {selected}) AS c LEFT JOIN"
        f" (SELECT r.* FROM {keys} AS k,"
        f" LATERAL (SELECT {_READ} FROM resource AS r WHERE r.type = k.type"
        " AND r.mesh = k.mesh AND r.name = k.name LIMIT 1) AS r"
        ") AS p ON true ORDER BY p.mesh, p.name"
    )
    rows = connection.execute(
        question.encode(),
        {
            "type": kept(selection.type),
            "mesh": None if selection.mesh is None else kept(selection.mesh),
            "part": kept(selection.name_contains),
            "labels": json.dumps(kept_labels(selection.labels)),
            "limit": selection.limit,
            "offset": selection.offset,
            "bytes": selection.bytes_max,
        },
    ).fetchall()
    (now, total, *_), *_ = rows
    found = (row[2:] for row in rows if row[2] is not None)
    items = tuple(up_to(selection.bytes_max, unsound.sound(found, _resource)))
    return Page(items, total, now)


def reseal(connection: Connection, rewrite: Rewrite) -> int:
    """See `SealedRows.reseal`. Takes a connection inside of a transaction."""
    keys = connection.execute(
        "SELECT type, mesh, name FROM resource WHERE type = ANY(%s)", (list(SEALED_TYPES),)
    ).fetchall()
    count = 0
    for key in keys:
        row = connection.execute(f"SELECT spec FROM resource WHERE {_ONE}".encode(), key).fetchone()  # noqa: S608
        written = None if row is None else rewrite(_key(*key), row[0])
        if written is not None:
            connection.execute(
                f"UPDATE resource SET spec = %s WHERE {_ONE}".encode(),  # noqa: S608
                (written, *key),
            )
            count += 1
    return count


def sealed_by(connection: Connection) -> Mapping[str, int]:
    """See `SealedRows.sealed_by`."""
    heads = connection.execute(
        "SELECT substr(spec, 1, %s) FROM resource WHERE type = ANY(%s)",
        (HEAD_CHARACTERS, list(SEALED_TYPES)),
    )
    return counted_by_key(head for (head,) in heads)


def pages(
    connection: Connection, selections: Sequence[Selection], unsound: UnsoundRows
) -> list[Page]:
    """As `page`, each of the same moment."""
    # READ COMMITTED, the default, would show each statement a moment of its own.
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    # When this raises, `Connections` closes the connection, and that ends the transaction.
    found = [page(connection, each, unsound) for each in selections]
    connection.execute("COMMIT")
    return found


def _keys(keys: Iterable[ResourceKey]) -> str:
    return json.dumps(
        [{"type": kept(k.type), "mesh": kept(k.mesh), "name": kept(k.name)} for k in keys]
    )


def _key(type_: str, mesh: str, name: str) -> ResourceKey:
    return ResourceKey(given_back(type_), given_back(mesh), given_back(name))


def _row(resource: StoredResource, size: int) -> dict[str, object]:
    owner = resource.owner
    return {
        "type": kept(resource.key.type),
        "mesh": kept(resource.key.mesh),
        "name": kept(resource.key.name),
        "version": resource.version,
        "spec": resource.spec,
        "status": resource.status,
        "labels": kept_labels(resource.labels),
        "created_at": instant_text(resource.created_at),
        "modified_at": instant_text(resource.modified_at),
        "owner_type": owner and kept(owner.type),
        "owner_mesh": owner and kept(owner.mesh),
        "owner_name": owner and kept(owner.name),
        "size": size,
    }


def instant_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _resource(row: tuple[Any, ...]) -> StoredResource:
    """Raises: UnsoundRowError."""
    type_, mesh, name, version, spec, status, labels, created_at, modified_at, *owner = row
    key = _key(type_, mesh, name)
    require_object(key, "spec", spec)
    if status is not None:
        require_object(key, "status", status)
    if version < 1:
        raise UnsoundRowError(key, "its version is less than 1")
    if created_at is None or modified_at is None:
        raise UnsoundRowError(key, "its times are none")
    return StoredResource(
        key=key,
        version=version,
        spec=spec,
        status=status,
        labels=given_back_labels(labels_of(key, labels)),
        created_at=created_at.astimezone(UTC),
        modified_at=modified_at.astimezone(UTC),
        owner=None if None in owner else _key(*owner),
    )
