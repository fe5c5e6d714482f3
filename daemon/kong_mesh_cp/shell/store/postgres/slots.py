"""Seats that the control planes on one database count together."""

from __future__ import annotations

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.shell.store.postgres.connections import Connection, Connections, transaction
from kong_mesh_cp.shell.store.postgres.text import given_back, kept
from kong_mesh_cp.usecases.resource_ports import SLOT_SECONDS

CLAIMING_LOCK = 0x4B4D5350  # for one transaction; whoever claims waits for whoever claims
_HELD_UNTIL = "clock_timestamp() + make_interval(secs => %s)"  # the server's clock counts for all


class PostgresSlots:
    """`usecases.resource_ports.SeatSlots` for the control plane `instance`."""

    def __init__(self, connections: Connections, instance: str) -> None:
        self._connections = connections
        self._instance = kept(instance)

    async def claim(self, record: SeatRecord, limit: int) -> bool:
        return await self._connections.use(
            lambda c: transaction(c, lambda held: self._claim(held, record.seat, limit))
        )

    def _claim(self, connection: Connection, seat: SeatId, limit: int) -> bool:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (CLAIMING_LOCK,))
        moved = connection.execute(
            f"UPDATE seat_slot SET instance = %s, held_until = {_HELD_UNTIL}"  # noqa: S608 -- a constant
            " WHERE (zone, mesh, name) = (%s, %s, %s)",
            (self._instance, SLOT_SECONDS, *_names(seat)),
        )
        if moved.rowcount:
            return True
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
        return frozenset(
            SeatId(given_back(zone), given_back(mesh), given_back(name))
            for zone, mesh, name in connection.execute(
                f"UPDATE seat_slot SET held_until = {_HELD_UNTIL} WHERE instance = %s"  # noqa: S608
                " RETURNING zone, mesh, name",
                (SLOT_SECONDS, self._instance),
            )
        )


def _names(seat: SeatId) -> tuple[str, str, str]:
    return kept(seat.zone), kept(seat.mesh), kept(seat.name)
