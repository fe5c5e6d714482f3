"""The newest changes of the store, as a table that control planes read. Takes a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Totals
from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.failures import missing
from kong_mesh_cp.shell.store.postgres.feed.notices import CHANNEL, notice_of
from kong_mesh_cp.shell.store.postgres.text import given_back, kept
from kong_mesh_cp.usecases.ports.resource_store import ChangeKind, ResourceChange

READ_ITEMS_MAX: Final = 2048  # at once; for more, "read all anew" is shorter
KEPT_ITEMS: Final = 4096  # for control planes that look later
FORGOTTEN_ITEMS: Final = 256  # at a time, of those that are older

_COLUMNS = "revision, kind, version, type, mesh, name"
_RECORD = (
    "WITH moved AS (UPDATE store SET revision = %(revision)s,"  # noqa: S608 -- constants
    " dataplane_items = %(dataplane_items)s, dataplane_bytes = %(dataplane_bytes)s,"
    " other_items = %(other_items)s, other_bytes = %(other_bytes)s),"
    f" recorded AS (INSERT INTO resource_change ({_COLUMNS}) SELECT {_COLUMNS}"
    " FROM json_to_recordset(%(changes)s::json) AS c"
    " (revision bigint, kind text, version bigint, type text, mesh text, name text)"
    # A store whose revision was set back by hand has these numbers already.
    " ON CONFLICT (revision) DO UPDATE SET kind = excluded.kind, version = excluded.version,"
    " type = excluded.type, mesh = excluded.mesh, name = excluded.name)"
)
_RECORD_AND_TELL = f"{_RECORD} SELECT pg_notify(%(channel)s, %(notice)s)"
_RECORD_ONLY = f"{_RECORD} SELECT 1"
# One statement, so that all of it is of one moment.
_SINCE = (
    "SELECT s.revision, c.revision, c.kind, c.version, c.type, c.mesh, c.name FROM store AS s"
    " LEFT JOIN resource_change AS c ON c.revision > %(known)s"
    " AND c.revision <= least(s.revision, %(last)s) ORDER BY c.revision"
)


@dataclass(frozen=True, slots=True)
class News:
    """What has happened since a revision that was known."""

    revision: int  # of the store now; lower than the known one where it was set back
    changes: Sequence[ResourceChange] | None  # up to it, none missing; None: not known


def record(
    connection: Connection,
    revision: int,
    changes: Sequence[ResourceChange],
    totals: Totals,
    *,
    tell: bool,
) -> None:
    """Make `revision` and `totals` those of the store, in the transaction that makes `changes`.

    With `tell`, all who listen hear of it when the transaction is committed.
    """
    recorded = [] if len(changes) > READ_ITEMS_MAX else [_row(change) for change in changes]
    connection.execute(
        (_RECORD_AND_TELL if tell else _RECORD_ONLY).encode(),
        {
            "revision": revision,
            "dataplane_items": totals.dataplanes.items,
            "dataplane_bytes": totals.dataplanes.bytes,
            "other_items": totals.others.items,
            "other_bytes": totals.others.bytes,
            "changes": json.dumps(recorded),
            "channel": CHANNEL,
            "notice": notice_of(revision),
        },
    )
    before = changes[0].revision - 1
    if before // FORGOTTEN_ITEMS != revision // FORGOTTEN_ITEMS:
        connection.execute(
            "DELETE FROM resource_change WHERE revision <= %s", (revision - KEPT_ITEMS,)
        )


def since(connection: Connection, known: int) -> News | None:
    """None where nothing has happened since the revision `known`.

    Raises: StateError `store-corrupt`.
    """
    rows = connection.execute(
        _SINCE.encode(), {"known": known, "last": known + READ_ITEMS_MAX}
    ).fetchall()
    if not rows:
        raise missing("store")
    revision = int(rows[0][0])
    if revision == known:
        return None
    found = [row[1:] for row in rows if row[1] is not None]
    # A release that knows no store version 3 records nothing, and so leaves a gap.
    if len(found) != revision - known:
        return News(revision, None)
    try:
        return News(revision, [_change(row) for row in found])
    except ValueError:
        return News(revision, None)


def _row(change: ResourceChange) -> dict[str, object]:
    return {
        "revision": change.revision,
        "kind": change.kind,
        "version": change.version,
        "type": kept(change.key.type),
        "mesh": kept(change.key.mesh),
        "name": kept(change.key.name),
    }


def _change(row: tuple[Any, ...]) -> ResourceChange:
    """Raises: ValueError for a kind that no release of this program writes."""
    revision, kind, version, type_, mesh, name = row
    key = ResourceKey(given_back(type_), given_back(mesh), given_back(name))
    return ResourceChange(key, ChangeKind(kind), version, revision)
