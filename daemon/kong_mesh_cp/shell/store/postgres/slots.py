"""Seats that the control planes on one database count together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.shell.store.postgres.connections import Connection, Connections, transaction
from kong_mesh_cp.shell.store.postgres.failures import missing
from kong_mesh_cp.shell.store.postgres.text import given_back, kept
from kong_mesh_cp.usecases.ports.resource_store import SLOT_SECONDS

_CLAIMING = "claiming"  # the turn to claim: the others wait for the end of its transaction
_HELD_UNTIL = "clock_timestamp() + make_interval(secs => %s)"  # the server's clock counts for all
_HELD_UNTIL_NAMED = _HELD_UNTIL.replace("%s", "%(seconds)s")
_ALL = "true"
_NOBODY_ELSES = "seat_slot.instance = excluded.instance OR seat_slot.held_until < clock_timestamp()"


class PostgresSlots:
    """`usecases.ports.resource_store.SeatSlots` for the control plane `instance`."""

    def __init__(self, connections: Connections, instance: str) -> None:
        self._connections = connections
        self._instance = kept(instance)

    async def claim(self, record: SeatRecord, limit: int) -> bool:
        return await self._connections.use(
            lambda c: transaction(c, lambda held: self._claim(held, record.seat, limit))
        )

    def _claim(self, connection: Connection, seat: SeatId, limit: int) -> bool:
        _take_turn(connection)
        moved = connection.execute(
            f"UPDATE seat_slot SET instance = %s, held_until = {_HELD_UNTIL}"  # noqa: S608 -- a constant
            " WHERE (zone, mesh, name) = (%s, %s, %s)",
            (self._instance, SLOT_SECONDS, *_names(seat)),
        )
        if moved.rowcount:
            return True
        return self._take_free(connection, seat, limit)

    def _take_free(self, connection: Connection, seat: SeatId, limit: int) -> bool:
        connection.execute("DELETE FROM seat_slot WHERE held_until < clock_timestamp()")
        # The count is for a limit that has become smaller than the numbers that are taken. That
        # no number is taken twice is the key's word, whatever else goes wrong.
        taken = connection.execute(
            "INSERT INTO seat_slot (slot, zone, mesh, name, instance, held_until)"  # noqa: S608
            f" SELECT slot, %s, %s, %s, %s, {_HELD_UNTIL} FROM generate_series(1, %s) AS slot"
            " WHERE (SELECT count(*) FROM seat_slot) < %s"
            " AND NOT EXISTS (SELECT 1 FROM seat_slot AS held WHERE held.slot = slot.slot)"
            " ORDER BY slot LIMIT 1",
            (*_names(seat), self._instance, SLOT_SECONDS, limit, limit),
        )
        return taken.rowcount == 1

    async def has_room(self, seat: SeatId, limit: int) -> bool:
        return await self._connections.use(lambda c: _has_room(c, seat, limit))

    async def hold(self, records: Collection[SeatRecord]) -> None:
        asked = _asked(records)
        await self._connections.use(
            lambda c: transaction(c, lambda held: self._hold(held, asked, _ALL))
        )

    async def regain(self, records: Collection[SeatRecord], limit: int | None) -> frozenset[SeatId]:
        seats = [record.seat for record in records]
        if not seats:
            return frozenset()
        if limit is None:
            asked = _asked(records)
            return await self._connections.use(
                lambda c: transaction(c, lambda held: self._hold(held, asked, _NOBODY_ELSES))
            )
        return await self._connections.use(
            lambda c: transaction(c, lambda held: self._regain(held, seats, limit))
        )

    def _hold(self, connection: Connection, asked: str, which: str) -> frozenset[SeatId]:
        _take_turn(connection)
        rows = connection.execute(
            "INSERT INTO seat_slot (slot, zone, mesh, name, instance, held_until)"  # noqa: S608
            " SELECT (SELECT coalesce(max(slot), 0) FROM seat_slot) + row_number() OVER (),"
            f" zone, mesh, name, %(instance)s, {_HELD_UNTIL_NAMED}"
            " FROM json_to_recordset(%(asked)s) AS asked (zone text, mesh text, name text)"
            " ON CONFLICT (zone, mesh, name) DO UPDATE"
            f" SET instance = excluded.instance, held_until = excluded.held_until WHERE {which}"
            " RETURNING zone, mesh, name",
            {"instance": self._instance, "asked": asked, "seconds": SLOT_SECONDS},
        )
        return _seats(rows)

    def _regain(
        self, connection: Connection, seats: Sequence[SeatId], limit: int
    ) -> frozenset[SeatId]:
        _take_turn(connection)
        connection.execute("DELETE FROM seat_slot WHERE held_until < clock_timestamp()")
        return frozenset(seat for seat in seats if self._is_ours(connection, seat, limit))

    def _is_ours(self, connection: Connection, seat: SeatId, limit: int) -> bool:
        """Now, if not before."""
        holder = connection.execute(
            "SELECT instance FROM seat_slot WHERE (zone, mesh, name) = (%s, %s, %s)", _names(seat)
        ).fetchone()
        if holder is not None:
            return bool(holder[0] == self._instance)
        return self._take_free(connection, seat, limit)

    async def elsewhere(self) -> Mapping[str, int]:
        return await self._connections.use(self._elsewhere)

    def _elsewhere(self, connection: Connection) -> Mapping[str, int]:
        rows = connection.execute(
            "SELECT mesh, count(*) FROM seat_slot"
            " WHERE held_until >= clock_timestamp() AND instance <> %s GROUP BY mesh",
            (self._instance,),
        )
        return {given_back(mesh): int(count) for mesh, count in rows}

    async def free(self, seat: SeatId) -> None:
        await self._connections.use(
            lambda c: c.execute(
                "DELETE FROM seat_slot WHERE (zone, mesh, name) = (%s, %s, %s) AND instance = %s",
                (*_names(seat), self._instance),
            )
        )

    async def renew(self) -> frozenset[SeatId]:
        return await self._connections.use(self._renew)

    def _renew(self, connection: Connection) -> frozenset[SeatId]:
        return _seats(
            connection.execute(
                f"UPDATE seat_slot SET held_until = {_HELD_UNTIL} WHERE instance = %s"  # noqa: S608
                " RETURNING zone, mesh, name",
                (SLOT_SECONDS, self._instance),
            )
        )


def _take_turn(connection: Connection) -> None:
    row = connection.execute(
        "SELECT FROM turn WHERE what = %s FOR NO KEY UPDATE", (_CLAIMING,)
    ).fetchone()
    if row is None:
        raise missing("turn")


def _has_room(connection: Connection, seat: SeatId, limit: int) -> bool:
    row = connection.execute(
        "SELECT count(*) < %s OR count(*) FILTER (WHERE (zone, mesh, name) = (%s, %s, %s)) > 0"
        " FROM seat_slot WHERE held_until >= clock_timestamp()",
        (limit, *_names(seat)),
    ).fetchone()
    return row == (True,)


def _asked(records: Collection[SeatRecord]) -> str:
    names = (_names(record.seat) for record in records)
    return json.dumps([{"zone": zone, "mesh": mesh, "name": name} for zone, mesh, name in names])


def _seats(rows: Iterable[tuple[Any, ...]]) -> frozenset[SeatId]:
    return frozenset(
        SeatId(given_back(zone), given_back(mesh), given_back(name)) for zone, mesh, name in rows
    )


def _names(seat: SeatId) -> tuple[str, str, str]:
    return kept(seat.zone), kept(seat.mesh), kept(seat.name)
