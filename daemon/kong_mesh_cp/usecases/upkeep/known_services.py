"""Services as they are in the store, and the virtual addresses that they have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_of
from kong_mesh_cp.usecases.resources.kinds import KINDS


class Known(NamedTuple):
    """A service resource as it is in the store."""

    labels: Mapping[str, str]
    spec: Any
    status: Any
    version: int
    created_at: datetime
    revision: int = -1  # of the change that was made here; -1: it was read
    address_before: str = ""  # that it had until a client wrote it without its status


def addresses_of(status: Any) -> tuple[str, ...]:
    """The virtual addresses in the status of a service of any type."""
    vips = (status.vip,) if hasattr(status, "vip") else status.vips
    return tuple(each.ip for each in vips if each.ip)


def without_address(status: Any) -> Any:
    if hasattr(status, "vip"):
        return replace(status, vip=replace(status.vip, ip=""))
    return replace(status, vips=())


def read_known(stored: StoredResource) -> Known:
    """Raises: ParseError, InvalidResourceError."""
    kind = KINDS[stored.key.type]
    if kind.parse_status is None:
        raise TypeError(f"{stored.key.type} has no status")
    status = kind.parse_status({"status": json.loads(stored.status or "{}")})
    spec = resource_of(stored).spec
    return Known(stored.labels, spec, status, stored.version, stored.created_at)


class UsedAddresses(Counter[str]):
    """How many services of all meshes have each address; those that two have are `doubled`."""

    def __init__(self) -> None:
        super().__init__()
        self.doubled: set[str] = set()

    def take(self, address: str) -> None:
        self[address] += 1
        if self[address] > 1:
            self.doubled.add(address)

    def leave(self, address: str) -> None:
        self[address] -= 1
        if not self[address]:
            del self[address]
