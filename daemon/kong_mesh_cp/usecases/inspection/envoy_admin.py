"""What Envoy itself tells of a proxy: configuration, counters, clusters.

Source: docs/wire/inspection.md#envoy-admin
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NoReturn

from kong_mesh_cp.core.identity.access import AccessRules, View, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import not_connected

# Texts of the original: it speaks of an ingress for both kinds of zone proxies.
_TITLES: Final[Mapping[str, str]] = {
    "Dataplane": "Could not get dataplane resource",
    "ZoneIngress": "Could not get zone ingress resource",
    "ZoneEgress": "Could not get zone ingress resource",
}


class EnvoyAdmin:
    """No proxy connects to this version, so none can be asked. Who may ask is judged as ever."""

    def __init__(self, reading: ResourceReader, access: AccessRules) -> None:
        self._reading = reading
        self._access = access

    async def ask(self, user: User, type_name: str, mesh: str, name: str, view: View) -> NoReturn:
        """Raises: AccessDeniedError, ResourceRefusedError (also for a proxy that is there)."""
        require(self._access, user, view)
        stored = await self._reading.stored(
            user, TYPES[type_name], mesh, name, title=_TITLES[type_name]
        )
        raise not_connected(type_name, name, _admin_port(stored.spec))


def _admin_port(spec: str) -> int | None:
    found: object = json.loads(spec)
    for member in ("networking", "admin", "port"):
        found = found.get(member) if isinstance(found, Mapping) else None
    return found if isinstance(found, int) and found > 0 else None
