"""Which rows a fact is kept in, and how they are read back. Every function takes a connection."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.usecases.ports.state_store import HIGH_WATER_DAYS_MAX, AuditEntry, Remembered


def instant_text(at: datetime) -> str:
    """`at` (aware) so that texts sort as instants do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def instant(text: str) -> datetime:
    """Raises: ValueError if `text` is no instant in UTC, as `instant_text` writes them."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is UTC:  # as it is read from `+00:00`; the rest is for what others have written
        return at
    if at.utcoffset() != timedelta(0):
        raise ValueError(f"{text!r} is not in UTC")
    return at.replace(tzinfo=UTC)


def make_cluster_id(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('cluster_id', ?) ON CONFLICT (key) DO NOTHING",
        (str(uuid.uuid4()),),
    )


def cluster_id(connection: sqlite3.Connection) -> str:
    """Raises: ValueError when it is gone: the store makes it when it is opened."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'cluster_id'").fetchone()
    if row is None:
        raise ValueError("its cluster id is missing")
    return str(row[0])


def remembered(connection: sqlite3.Connection) -> Remembered:
    """Raises: ValueError for a row that no release of this program writes."""
    return Remembered(
        trial_started_at=_trial_start(connection),
        clock=_clock(connection),
        seats=tuple(
            SeatRecord(SeatId(zone, mesh, name), ProxyKind(kind), instant(since))
            for zone, mesh, name, kind, since in connection.execute(
                "SELECT zone, mesh, name, kind, since FROM seats ORDER BY zone, mesh, name"
            )
        ),
        high_water={
            date.fromisoformat(day): seats
            for day, seats in connection.execute("SELECT day, seats FROM high_water ORDER BY day")
        },
    )


def _trial_start(connection: sqlite3.Connection) -> datetime | None:
    row = connection.execute("SELECT started_at FROM trial").fetchone()
    return None if row is None else instant(row[0])


def _clock(connection: sqlite3.Connection) -> ClockMark | None:
    row = connection.execute(
        "SELECT seen, boot_id, boottime_seconds, ahead_seconds, lead_seconds FROM clock_mark"
    ).fetchone()
    if row is None:
        return None
    seen, boot_id, boottime_seconds, ahead_seconds, lead_seconds = row
    return ClockMark(
        seen=instant(seen),
        boot_id=boot_id,
        boottime_seconds=boottime_seconds,
        ahead_seconds=ahead_seconds,
        lead_seconds=lead_seconds,
    )


def keep_earlier_trial_start(connection: sqlite3.Connection, at: datetime) -> datetime:
    connection.execute(
        "INSERT INTO trial (id, started_at) VALUES (1, ?) ON CONFLICT (id)"
        " DO UPDATE SET started_at = min(started_at, excluded.started_at)",
        (instant_text(at),),
    )
    (kept,) = connection.execute("SELECT started_at FROM trial").fetchone()
    return instant(kept)


def replace_clock(connection: sqlite3.Connection, mark: ClockMark) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO clock_mark"
        " (id, seen, boot_id, boottime_seconds, ahead_seconds, lead_seconds)"
        " VALUES (1, ?, ?, ?, ?, ?)",
        (
            instant_text(mark.seen),
            mark.boot_id,
            mark.boottime_seconds,
            mark.ahead_seconds,
            mark.lead_seconds,
        ),
    )


def change_seats(
    connection: sqlite3.Connection, changes: Mapping[SeatId, SeatRecord | None]
) -> None:
    connection.executemany(
        "DELETE FROM seats WHERE zone = ? AND mesh = ? AND name = ?",
        [(seat.zone, seat.mesh, seat.name) for seat, record in changes.items() if record is None],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO seats (zone, mesh, name, kind, since) VALUES (?, ?, ?, ?, ?)",
        [
            (seat.zone, seat.mesh, seat.name, record.kind.value, instant_text(record.since))
            for seat, record in changes.items()
            if record is not None
        ],
    )


def keep_larger_high_water(connection: sqlite3.Connection, day: date, seats: int) -> None:
    connection.execute(
        "INSERT INTO high_water (day, seats) VALUES (?, ?) ON CONFLICT (day)"
        " DO UPDATE SET seats = max(seats, excluded.seats)",
        (day.isoformat(), seats),
    )
    # Counted in days that are there, not back from today: one wrong clock must not empty it.
    connection.execute(
        "DELETE FROM high_water WHERE day NOT IN"
        " (SELECT day FROM high_water ORDER BY day DESC LIMIT ?)",
        (HIGH_WATER_DAYS_MAX,),
    )


def append_audit(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    connection.execute(
        "INSERT INTO audit_log (at, actor, action, reason) VALUES (?, ?, ?, ?)",
        (instant_text(entry.at), entry.actor, entry.action, entry.reason),
    )


def audit_entries(connection: sqlite3.Connection) -> tuple[AuditEntry, ...]:
    """Oldest first. Raises: ValueError for a row that no release of this program writes."""
    return tuple(
        AuditEntry(instant(at), actor, action, reason)
        for at, actor, action, reason in connection.execute(
            "SELECT at, actor, action, reason FROM audit_log ORDER BY id"
        )
    )
