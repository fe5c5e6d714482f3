"""Seats: the kinds of proxies that ask for them, and what is remembered of each."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from kong_mesh_cp.core.dataclass import dataclass


class ProxyKind(StrEnum):
    """What kind of proxy asks. Only a sidecar takes a counted seat."""

    SIDECAR = "sidecar"
    DELEGATED_GATEWAY = "delegated-gateway"
    BUILTIN_GATEWAY = "builtin-gateway"
    ZONE_INGRESS = "zone-ingress"
    ZONE_EGRESS = "zone-egress"

    @property
    def counted(self) -> bool:
        return self is ProxyKind.SIDECAR


class SeatId(NamedTuple):
    """The identity of a proxy: not of a connection, a process or a replica.

    A named tuple, because every decision makes one and looks it up: a frozen dataclass takes
    five times as long to make and to hash.
    """

    zone: str
    mesh: str
    name: str

    @property
    def path(self) -> str:
        """For logs. The parser of requests lets no control character into mesh and name."""
        return f"{self.zone}/{self.mesh}/{self.name}"


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """What the store keeps of a seat, so that its proxy is known after a restart."""

    seat: SeatId
    kind: ProxyKind
    since: datetime  # aware, UTC
