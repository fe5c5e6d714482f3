"""Getting and listing resources, with their insights where they have some.

Source: docs/wire/resource-api.md#lists, docs/wire/resource-api.md#one-resource,
docs/wire/resource-api.md#overviews
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Generic, TypeVar, overload

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.json_text import JsonText
from kong_mesh_cp.core.identity.access import AccessRules, ReadResource, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources import inline_secrets
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.usecases.ports.resource_store import (
    ResourceStore,
    Selection,
    StoredResource,
    up_to,
)
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    resource_of,
    shown_overview_text,
    shown_text,
)
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery, listing
from kong_mesh_cp.usecases.resources.resource_refusals import GET_ONE, mesh_not_found, not_found
from kong_mesh_cp.usecases.resources.sweeping import in_slices, read_in_slices, slices

MESH: Final = "Mesh"
LARGE_SPEC_CHARACTERS: Final = 64 * 1024  # takes 25 ms to be looked through, at the worst

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Overview:
    """A type that is shown together with what is observed of it."""

    type: str
    resource: str  # names of the members
    insight: str

    @property
    def shown_type(self) -> str:
        return f"{self.type}Overview"

    @property
    def insight_type(self) -> str:
        return f"{self.type}Insight"


OVERVIEWS: Final[Mapping[str, Overview]] = {
    each.type: each
    for each in (
        Overview("Dataplane", "dataplane", "dataplaneInsight"),
        Overview("Zone", "zone", "zoneInsight"),
        Overview("ZoneEgress", "zoneEgress", "zoneEgressInsight"),
        Overview("ZoneIngress", "zoneIngress", "zoneIngressInsight"),
    )
}


class ResourceReader:
    """What is in the store, for callers that may see it. All methods raise StateError, and
    AccessDeniedError or ResourceRefusedError for what is not to be had.

    Secrets that stand in other resources are masked for users who may not read Secrets.
    """

    def __init__(self, store: ResourceStore, access: AccessRules) -> None:
        self._store = store
        self._access = access
        # One at a time: together they would take as long, hold a mesh in memory each, and make
        # every garbage collection a pause for everybody.
        self.mesh_scan_slot = trio.CapacityLimiter(1)
        self._masks = trio.CapacityLimiter(1)

    async def require_mesh(self, mesh: str) -> StoredResource:
        """The mesh that a URL names. Raises: ResourceRefusedError."""
        found = await self._store.get(mesh_key(mesh))
        if found is None:
            raise mesh_not_found()
        return found

    async def stored(
        self, user: User, resource_type: ResourceType, mesh: str, name: str, *, title: str = GET_ONE
    ) -> StoredResource:
        """One resource of a mesh that exists ("" for a global type)."""
        found = await in_its_mesh(self._store, ResourceKey(resource_type.name, mesh, name))
        require(self._access, user, ReadResource(resource_type.name, mesh, name))
        if found is None:
            raise not_found(title)
        return await self.visible(user, found)

    async def stored_anywhere(
        self, user: User, resource_type: ResourceType, mesh: str, name: str, *, title: str
    ) -> StoredResource:
        """As `stored`, for a path that has no word of its own for a mesh that is not there."""
        require(self._access, user, ReadResource(resource_type.name, mesh, name))
        found = await self._store.get(ResourceKey(resource_type.name, mesh, name))
        if found is None:
            raise not_found(title)
        return await self.visible(user, found)

    async def visible(self, user: User, stored: StoredResource) -> StoredResource:
        """`stored` as `user` may see it."""
        type_name, spec = stored.key.type, stored.spec
        mesh = stored.key.name if type_name == MESH else stored.key.mesh
        if not inline_secrets.may_hold(type_name, spec) or self.sees_secrets(user, mesh):
            return stored
        mask = partial(inline_secrets.masked, type_name, spec)
        if len(spec) < LARGE_SPEC_CHARACTERS:
            await trio.lowlevel.checkpoint()  # others have a turn between two of these
            return replace(stored, spec=mask())
        return replace(stored, spec=await trio.to_thread.run_sync(mask, limiter=self._masks))

    async def all_visible(
        self, user: User, found: Sequence[StoredResource]
    ) -> Sequence[StoredResource]:
        """Each of `found`, which are of one type, as `user` may see it."""
        shown: list[StoredResource] = []
        async for part in slices(found):
            # What is in none of several texts is not in all of them together.
            together = "\n".join(each.spec for each in part)
            if inline_secrets.may_hold(part[0].key.type, together):
                shown += [await self.visible(user, each) for each in part]
            else:
                shown += part
        return shown

    def sees_secrets(self, user: User, mesh: str) -> bool:
        """Whether nothing of `mesh` ("": of no mesh) is masked for `user`, itself included."""
        secret = "Secret" if mesh else "GlobalSecret"
        return self._access.permits(user, ReadResource(secret, mesh))

    async def overview(
        self, user: User, resource_type: ResourceType, mesh: str, name: str
    ) -> JsonDocument | JsonText:
        """One resource with its insight: an empty one where there is none, unlike in a list."""
        stored = await self.stored(user, resource_type, mesh, name)
        overview = OVERVIEWS[resource_type.name]
        (document,) = await self._overviews(overview, [stored], empty=True)
        return document

    async def page(
        self,
        user: User,
        resource_type: ResourceType,
        mesh: str | None,
        query: ListQuery,
        *,
        overview: bool = False,
    ) -> Listing[JsonDocument | JsonText]:
        """The page of one mesh, or of all for None. Sorted by mesh and name."""
        if mesh is not None and resource_type.is_mesh_scoped:
            await self.require_mesh(mesh)
        require(self._access, user, ReadResource(resource_type.name, mesh or ""))
        page, total = await self._stored_page(resource_type, mesh, query)
        page = [await self.visible(user, each) async for each in in_slices(page)]
        items: Sequence[JsonDocument | JsonText]
        if overview:
            items = await self._overviews(OVERVIEWS[resource_type.name], page)
        else:
            items = MadeWhenAsked(page, shown_text)
        text_bytes = sum(each.text_bytes for each in page)
        return listing(items, total, query, text_bytes=text_bytes)

    async def _stored_page(
        self, resource_type: ResourceType, mesh: str | None, query: ListQuery
    ) -> tuple[Sequence[StoredResource], int]:
        if query.looks_into_specs:
            async with self.mesh_scan_slot:
                return await self._selected_page(resource_type, mesh, query)
        found = await self._store.list(
            Selection(
                type=resource_type.name,
                mesh=mesh if resource_type.is_mesh_scoped else None,
                name_contains=query.name,
                labels=query.labels,
                offset=query.offset,
                limit=query.size,
                bytes_max=query.bytes_max,
            )
        )
        return found.items, found.total

    async def _selected_page(
        self, resource_type: ResourceType, mesh: str | None, query: ListQuery
    ) -> tuple[Sequence[StoredResource], int]:
        found = await self._store.list(
            Selection(
                type=resource_type.name,
                mesh=mesh if resource_type.is_mesh_scoped else None,
                name_contains=query.name,
                labels=query.labels,
            )
        )

        def select(some: Sequence[StoredResource]) -> Sequence[StoredResource]:
            return [each for each in some if query.selects(resource_of(each).spec)]

        selected = await read_in_slices(found.items, select)
        asked = selected[query.offset : query.offset + query.size]
        return [*up_to(query.bytes_max, asked)], len(selected)

    async def _overviews(
        self, overview: Overview, page: Sequence[StoredResource], *, empty: bool = False
    ) -> Sequence[JsonDocument | JsonText]:
        """`empty`: what has no insight is shown with an empty one."""
        insights = await self._store.get_many([_insight_key(overview, each) for each in page])

        def document(stored: StoredResource) -> JsonDocument | JsonText:
            insight = insights.get(_insight_key(overview, stored))
            parts = {overview.resource: stored, overview.insight: insight}
            return shown_overview_text(stored, overview.shown_type, parts, empty=empty)

        return MadeWhenAsked(page, document)


class MadeWhenAsked(Sequence[T], Generic[S, T]):
    """What `make` gives for each of `sources`, when it is asked for: a page of documents is many
    times as large as what is stored for it, and they are written one after the other.
    """

    def __init__(self, sources: Sequence[S], make: Callable[[S], T]) -> None:
        self._sources = sources
        self._make = make

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[T]:
        return map(self._make, self._sources)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return MadeWhenAsked(self._sources[index], self._make)
        return self._make(self._sources[index])


def mesh_key(mesh: str) -> ResourceKey:
    return ResourceKey(MESH, "", mesh)


async def in_its_mesh(store: ResourceStore, key: ResourceKey) -> StoredResource | None:
    """What is stored for `key`. Raises: ResourceRefusedError where its mesh is not there.

    One question to the store, and so of one moment: each costs an exchange with a server.
    """
    if not key.mesh:
        return await store.get(key)
    found = await store.get_many([mesh_key(key.mesh), key])
    if mesh_key(key.mesh) not in found:
        raise mesh_not_found()
    return found.get(key)


def _insight_key(overview: Overview, resource: StoredResource) -> ResourceKey:
    return ResourceKey(overview.insight_type, resource.key.mesh, resource.key.name)


def has_overview(resource_type: ResourceType) -> bool:
    return resource_type.name in OVERVIEWS and OVERVIEWS[resource_type.name].insight_type in TYPES
