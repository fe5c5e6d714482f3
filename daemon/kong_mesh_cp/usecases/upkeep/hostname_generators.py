"""The HostnameGenerators of the store, read when there is a service for them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_as

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes.services import service_hostnames
    from kong_mesh_cp.core.meshes.services.service_hostnames import Generator
    from kong_mesh_cp.core.resources.kinds.services import hostname_generator
else:  # most control planes have no services with names of their own
    service_hostnames = lazy_import("kong_mesh_cp.core.meshes.services.service_hostnames")
    hostname_generator = lazy_import(
        "kong_mesh_cp.core.resources.kinds.services.hostname_generator"
    )

log = logging.getLogger(__name__)


@dataclass(slots=True)
class HostnameGenerators:
    """All of them, by name."""

    _stored: dict[str, StoredResource] = field(default_factory=dict)
    _ordered: tuple[Generator, ...] | None = None  # None: not read yet

    def are(self, stored: Iterable[StoredResource]) -> None:
        self._stored, self._ordered = {each.key.name: each for each in stored}, None

    def take(self, name: str, stored: StoredResource | None) -> None:
        """None: it is gone."""
        if stored is None:
            self._stored.pop(name, None)
        else:
            self._stored[name] = stored
        self._ordered = None

    def in_order(self) -> tuple[Generator, ...]:
        """As they are asked; the same tuple until one of them changes."""
        if self._ordered is None:
            read = [found for each in self._stored.values() if (found := _read(each))]
            self._ordered = tuple(service_hostnames.in_order(read))
        return self._ordered


def _read(stored: StoredResource) -> Generator | None:
    try:
        return resource_as(hostname_generator.HostnameGenerator, stored)
    except (ParseError, InvalidResourceError) as error:
        log.error(
            "resource-unreadable: HostnameGenerator %s makes no names: %s. Write it anew.",
            go_quote(stored.key.name),
            go_quote(str(error)),
        )
        return None
