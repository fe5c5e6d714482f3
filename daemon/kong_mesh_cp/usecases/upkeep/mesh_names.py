"""What a control plane remembers of all meshes to know which names have virtual addresses.

Of each resource only what names are made of: a change of anything else costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.virtual_hosts import (
    ExternalHost,
    NamedGateway,
    NameSources,
    NamingRule,
    external_host,
    inbound_tags,
    named_gateways,
    remote_tags,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.tags import Tags
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_as, spec_as

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds import mesh_gateway, zone_proxies
    from kong_mesh_cp.core.resources.kinds.legacy import virtual_outbound
else:  # most meshes have none of these
    mesh_gateway = lazy_import("kong_mesh_cp.core.resources.kinds.mesh_gateway")
    virtual_outbound = lazy_import("kong_mesh_cp.core.resources.kinds.legacy.virtual_outbound")
    zone_proxies = lazy_import("kong_mesh_cp.core.resources.kinds.zone_proxies")

NAMING: Final = ("Dataplane", "ExternalService", "MeshGateway", "VirtualOutbound", "ZoneIngress")

# These have a say in every mesh.
_OF_ALL_MESHES: Final = frozenset({"MeshGateway", "ZoneIngress"})


class _Inbounds(NamedTuple):
    """Those of a Dataplane. Who was there first keeps a name that others make, too."""

    created_at: datetime
    tags: tuple[Tags, ...]


V = TypeVar("V")
Book = dict[ResourceKey, V]


@dataclass(slots=True)
class MeshNames:
    """Facts of each resource of NAMING, by mesh. `domain` is that of services, `zone` this one."""

    domain: str
    zone: str
    _inbounds: dict[str, Book[_Inbounds | None]] = field(default_factory=dict)
    _external: dict[str, Book[ExternalHost]] = field(default_factory=dict)
    _rules: dict[str, Book[NamingRule]] = field(default_factory=dict)
    _gateways: dict[str, Book[tuple[NamedGateway, ...]]] = field(default_factory=dict)
    _remote: dict[str, Book[tuple[tuple[str, Tags], ...]]] = field(default_factory=dict)

    def take(self, stored: StoredResource) -> bool:
        """Look into one of NAMING; False: nothing is new of it."""
        try:
            return self._look_into(stored)
        except (ParseError, InvalidResourceError):
            # The count of its mesh says so in the log.
            return self.forget(stored.key)

    def _look_into(self, stored: StoredResource) -> bool:
        """Raises: ParseError or InvalidResourceError."""
        key = stored.key
        match key.type:
            case "Dataplane":
                tags = inbound_tags(spec_as(Dataplane, stored))
                inbounds = _Inbounds(stored.created_at, tags) if tags else None
                return _learn(self._inbounds, key, inbounds)
            case "ExternalService":
                external = external_host(key.name, spec_as(ExternalService, stored))
                return _learn(self._external, key, external)
            case "VirtualOutbound":
                found = resource_as(virtual_outbound.VirtualOutbound, stored)
                rule = NamingRule(found.name, found.created_at, found.spec)
                return _learn(self._rules, key, rule)
            case "MeshGateway":
                gateway = spec_as(mesh_gateway.MeshGateway, stored)
                listeners = named_gateways(key.mesh, key.name, gateway, self.domain)
                return _learn(self._gateways, key, listeners)
            case _:
                remote = remote_tags(spec_as(zone_proxies.ZoneIngress, stored), self.zone)
                return _learn(self._remote, key, remote)

    def forget(self, key: ResourceKey) -> bool:
        """One of NAMING is gone; False: it was not known."""
        return _drop(self._book(key.type), key)

    def keep_only(self, type_name: str, keys: Collection[ResourceKey]) -> None:
        """`keys` are all there are of a type."""
        known = {key for book in self._book(type_name).values() for key in book}
        for key in known.difference(keys):
            self.forget(key)

    def sources(self, mesh: str) -> NameSources:
        """All that the names of `mesh` are made of."""
        dataplanes = (each for each in _sorted(self._inbounds.get(mesh, {})) if each is not None)
        inbounds = sorted(dataplanes, key=lambda each: each.created_at)
        remote = (services for book in self._remote.values() for services in _sorted(book))
        gateways = (_sorted(self._gateways[each]) for each in sorted(self._gateways))
        return NameSources(
            inbounds=[tags for each in inbounds for tags in each.tags],
            remote=[tags for services in remote for of, tags in services if of == mesh],
            external=_sorted(self._external.get(mesh, {})),
            rules=_sorted(self._rules.get(mesh, {})),
            gateways=[one for book in gateways for listeners in book for one in listeners],
        )

    def _book(self, type_name: str) -> dict[str, Book[Any]]:
        books: Mapping[str, dict[str, Book[Any]]] = {
            "Dataplane": self._inbounds,
            "ExternalService": self._external,
            "MeshGateway": self._gateways,
            "VirtualOutbound": self._rules,
            "ZoneIngress": self._remote,
        }
        return books[type_name]


def concerned(key: ResourceKey) -> str | None:
    """The mesh in which a resource of NAMING has a say; None: all of them."""
    return None if key.type in _OF_ALL_MESHES else key.mesh


def _learn(books: dict[str, Book[V]], key: ResourceKey, facts: V) -> bool:
    # One that has nothing to tell is as good as not there.
    if not facts:
        return _drop(books, key)
    book = books.setdefault(key.mesh, {})
    if book.get(key) == facts:
        return False
    book[key] = facts
    return True


def _drop(books: dict[str, Book[V]], key: ResourceKey) -> bool:
    book = books.get(key.mesh, {})
    if book.pop(key, None) is None:
        return False
    if not book:
        del books[key.mesh]
    return True


def _sorted(book: Book[V]) -> list[V]:
    return [book[key] for key in sorted(book)]
