"""The doors through which a proxy comes to its seat. Whichever it takes, it is one seat."""

from __future__ import annotations

from enum import StrEnum

from kong_mesh_cp.core.admission.attestation import AttestedPeer
from kong_mesh_cp.core.dataclass import dataclass


class Door(StrEnum):
    """Where a proxy has come in. It may hold its seat through both at once."""

    SOCKET = "admission-socket"  # a process of this machine
    STREAM = "stream"  # an Envoy, which is configured over it


@dataclass(frozen=True, slots=True)
class ProxyPeer:
    """A proxy at the other end of a stream. Its token says who it is, not its address."""

    address: str


SeatPeer = AttestedPeer | ProxyPeer


def door_of(peer: SeatPeer) -> Door:
    """The one that peers of this kind come through."""
    return Door.STREAM if isinstance(peer, ProxyPeer) else Door.SOCKET
