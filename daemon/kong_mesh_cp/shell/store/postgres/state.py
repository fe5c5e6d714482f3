"""Rows of the state of a control plane in PostgreSQL. Every function takes a connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.failures import missing
from kong_mesh_cp.shell.store.postgres.text import given_back, kept
from kong_mesh_cp.usecases.ports.state_store import HIGH_WATER_DAYS_MAX, AuditEntry, Remembered


def cluster_id(connection: Connection) -> str:
    row = connection.execute("SELECT cluster_id FROM store").fetchone()
    if row is None:
        raise missing("store")
    return str(row[0])


def remembered(connection: Connection, instance: str) -> Remembered:
    return Remembered(
        trial_started_at=_trial_start(connection),
        clock=_clock(connection, instance),
        seats=_seats(connection, instance),
        high_water=dict(
            connection.execute("SELECT day, seats FROM high_water ORDER BY day").fetchall()
        ),
    )


def _trial_start(connection: Connection) -> datetime | None:
    row = connection.execute("SELECT trial_started_at FROM store").fetchone()
    return None if row is None or row[0] is None else row[0].astimezone(UTC)


def _clock(connection: Connection, instance: str) -> ClockMark | None:
    row = connection.execute(
        "SELECT seen, boot_id, boottime_seconds, ahead_seconds, lead_seconds FROM clock_mark"
        " WHERE instance = %s",
        (kept(instance),),
    ).fetchone()
    if row is None:
        return None
    seen, boot_id, boottime_seconds, ahead_seconds, lead_seconds = row
    return ClockMark(
        seen=seen.astimezone(UTC),
        boot_id=given_back(boot_id),
        boottime_seconds=boottime_seconds,
        ahead_seconds=ahead_seconds,
        lead_seconds=lead_seconds,
    )


def _seats(connection: Connection, instance: str) -> tuple[SeatRecord, ...]:
    found = [
        SeatRecord(
            SeatId(given_back(zone), given_back(mesh), given_back(name)),
            ProxyKind(kind),
            since.astimezone(UTC),
        )
        for zone, mesh, name, kind, since in connection.execute(
            "SELECT zone, mesh, name, kind, since FROM seat WHERE instance = %s",
            (kept(instance),),
        )
    ]
    return tuple(sorted(found, key=lambda record: record.seat))


def keep_earlier_trial_start(connection: Connection, at: datetime) -> datetime:
    row = connection.execute(
        "UPDATE store SET trial_started_at = least(trial_started_at, %s)"
        " RETURNING trial_started_at",
        (at,),
    ).fetchone()
    if row is None:
        raise missing("store")
    kept_at: datetime = row[0]
    return kept_at.astimezone(UTC)


def replace_clock(connection: Connection, instance: str, mark: ClockMark) -> None:
    connection.execute(
        "INSERT INTO clock_mark"
        " (instance, seen, boot_id, boottime_seconds, ahead_seconds, lead_seconds)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (instance) DO UPDATE SET"
        " seen = excluded.seen, boot_id = excluded.boot_id,"
        " boottime_seconds = excluded.boottime_seconds,"
        " ahead_seconds = excluded.ahead_seconds, lead_seconds = excluded.lead_seconds",
        (
            kept(instance),
            mark.seen,
            kept(mark.boot_id),
            mark.boottime_seconds,
            mark.ahead_seconds,
            mark.lead_seconds,
        ),
    )


def change_seats(
    connection: Connection, instance: str, changes: Mapping[SeatId, SeatRecord | None]
) -> None:
    # In one order everywhere, so that two of these cannot wait for each other in a circle.
    ordered = sorted(changes.items(), key=lambda change: change[0])
    with connection.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM seat WHERE instance = %s AND zone = %s AND mesh = %s AND name = %s",
            [(kept(instance), *_names(seat)) for seat, record in ordered if record is None],
        )
        cursor.executemany(
            "INSERT INTO seat (instance, zone, mesh, name, kind, since)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (instance, zone, mesh, name)"
            " DO UPDATE SET kind = excluded.kind, since = excluded.since",
            [
                (kept(instance), *_names(seat), record.kind.value, record.since)
                for seat, record in ordered
                if record is not None
            ],
        )


def keep_larger_high_water(connection: Connection, day: date, seats: int) -> None:
    connection.execute(
        "INSERT INTO high_water (day, seats) VALUES (%s, %s) ON CONFLICT (day)"
        " DO UPDATE SET seats = greatest(high_water.seats, excluded.seats)",
        (day, seats),
    )
    connection.execute(
        "DELETE FROM high_water WHERE day NOT IN"
        " (SELECT day FROM high_water ORDER BY day DESC LIMIT %s)",
        (HIGH_WATER_DAYS_MAX,),
    )


def append_audit(connection: Connection, entry: AuditEntry) -> None:
    connection.execute(
        "INSERT INTO audit_log (at, actor, action, reason) VALUES (%s, %s, %s, %s)",
        (entry.at, kept(entry.actor), kept(entry.action), kept(entry.reason)),
    )


def audit_entries(connection: Connection) -> tuple[AuditEntry, ...]:
    """Oldest first."""
    return tuple(
        AuditEntry(at.astimezone(UTC), given_back(actor), given_back(action), given_back(reason))
        for at, actor, action, reason in connection.execute(
            "SELECT at, actor, action, reason FROM audit_log ORDER BY id"
        )
    )


def _names(seat: SeatId) -> tuple[str, str, str]:
    return kept(seat.zone), kept(seat.mesh), kept(seat.name)
