"""What a set of writes would do, before anything is written: what is refused, which proxies would
be told something else, and what.

Each write is judged as a dry run of its own is. What is right of them is put upon the mesh as it is
now, and the configurations of its proxies are made before and after. Nothing is stored, and no
proxy hears of it.

Source: docs/wire/inspection.md#what-a-change-would-do
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from kong_mesh_cp.core.identity.access import AccessRules, ReadResource, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight
from kong_mesh_cp.usecases.data_plane.mesh_contents import (
    FOLLOWED,
    OF_ALL_MESHES,
    from_scratch,
    read_items,
    stored_of_mesh,
)
from kong_mesh_cp.usecases.data_plane.previewing.shown_changes import ShownChanges
from kong_mesh_cp.usecases.data_plane.previewing.verdicts import DELETED, Asked, Foreseen, Judging
from kong_mesh_cp.usecases.data_plane.proxy_configurations import sample_view
from kong_mesh_cp.usecases.ports.resource_store import (
    Put,
    ResourceStore,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.resources.documents import JsonDocument, spec_as
from kong_mesh_cp.usecases.resources.reader import MESH, mesh_key

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.explaining import foretelling
    from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, Item, WorldRules
    from kong_mesh_cp.core.xds.proxy_view import GenerationTerms
else:  # it brings Envoy's messages
    foretelling = lazy_import("kong_mesh_cp.core.xds.explaining.foretelling")

MESHES_MAX: Final = 10  # that one preview looks at; a zone proxy is of all meshes
PROXIES_MAX: Final = 200  # of one mesh whose configurations are made
PROXIES_AT_ONCE: Final = 5  # in a thread, before it is seen whether anybody still waits

_T = TypeVar("_T")


class Previewing:
    """Raises: AccessDeniedError as the writes would; StateError."""

    def __init__(
        self,
        store: ResourceStore,
        judging: Judging,
        access: AccessRules,
        *,
        rules: WorldRules,
        terms: GenerationTerms,
    ) -> None:
        self._store = store
        self._judging = judging
        self._access = access
        self._rules = rules
        self._terms = terms
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def preview(
        self, user: User, asked: Sequence[Asked], *, strict: bool = False
    ) -> JsonDocument:
        """What would come of `asked`, all of it together."""
        judged = await self._judging.all(user, asked, strict=strict)
        meshes, more_meshes = await self._meshes(judged)
        for mesh in meshes:
            require(self._access, user, ReadResource("Dataplane", mesh))
        shown = ShownChanges()
        told = [await self._mesh(mesh, judged, shown) for mesh in meshes]
        answer: JsonDocument = {
            "meshes": [each for each in told if each is not None],
            "resources": [each.shown() for each in judged],
        }
        left_out: JsonDocument = {"meshes": more_meshes, "resources": shown.left_out}
        if any(left_out.values()):
            answer["leftOut"] = left_out
        return answer

    async def _meshes(self, judged: Iterable[Foreseen]) -> tuple[Sequence[str], int]:
        """The meshes to be looked at, and how many others are touched."""
        effective = [each.asked for each in judged if each.has_effect]
        found = {
            each.key.mesh or (each.key.name if each.type.name == MESH else "")
            for each in effective
            if each.type.name in FOLLOWED
        }
        found.discard("")
        if any(each.type.name in OF_ALL_MESHES for each in effective):
            everything = await self._store.list(Selection(type=MESH, mesh=""))
            found |= {each.key.name for each in everything.items}
        ordered = sorted(found)
        return ordered[:MESHES_MAX], len(ordered[MESHES_MAX:])

    async def _mesh(
        self, mesh: str, judged: Sequence[Foreseen], shown: ShownChanges
    ) -> JsonDocument | None:
        """What becomes of the proxies of `mesh`; None: it is not there yet."""
        stored = await stored_of_mesh(self._store, mesh)
        items = await read_items([*stored.values()])
        before = await self._in_thread(partial(from_scratch, items, mesh_key(mesh), self._rules))
        if before is None:
            return None
        changes = await self._changes(mesh, judged, stored)
        online = await self._online(mesh)
        told = await self._in_thread(partial(self._foretelling, before, changes))
        # Those that hear of it at once stand first.
        candidates = sorted(told.candidates, key=lambda name: (name not in online, name))
        looked_at, changed = candidates[:PROXIES_MAX], list[foretelling.ChangedProxy]()
        for start in range(0, len(looked_at), PROXIES_AT_ONCE):
            some = looked_at[start : start + PROXIES_AT_ONCE]
            changed += await self._in_thread(partial(_changed, told, some))
        proxies = await self._in_thread(partial(shown.proxies, changed, online))
        return {
            "changed": len(changed),
            "dataplanes": told.dataplanes,
            "lookedAt": len(looked_at),
            "mesh": mesh,
            "notLookedAt": len(candidates) - len(looked_at),
            "proxies": proxies,
        }

    def _foretelling(
        self, before: IndexedMesh, changes: Mapping[ResourceKey, Item | None]
    ) -> foretelling.Foretelling:
        view_of = partial(sample_view, terms=self._terms)
        return foretelling.Foretelling(before, changes, view_of)

    async def _changes(
        self, mesh: str, judged: Sequence[Foreseen], stored: Mapping[ResourceKey, StoredResource]
    ) -> dict[ResourceKey, Item | None]:
        """What of `judged` is about `mesh`, as the generator reads it; the last of each counts."""
        own = mesh_key(mesh)
        puts: dict[ResourceKey, Put | None] = {}
        for each in judged:
            key = each.asked.key
            about = key.mesh == mesh or key == own or key.type in OF_ALL_MESHES
            if not about or key.type not in FOLLOWED or not each.has_effect:
                continue
            # With a Mesh all goes that is in it, its proxies first: nobody is left to be told.
            if each.put is not None or (each.outcome == DELETED and key != own):
                puts[key] = each.put
        after = [_stored(put, stored.get(key)) for key, put in puts.items() if put is not None]
        items = await read_items(after)
        return {key: items.get(key) for key in puts}

    async def _online(self, mesh: str) -> frozenset[str]:
        """The proxies that are connected to any control plane."""
        insights = await self._store.list(Selection(type="DataplaneInsight", mesh=mesh))
        return await self._in_thread(
            lambda: frozenset(
                each.key.name
                for each in insights.items
                if spec_as(DataplaneInsight, each).is_online
            )
        )

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await trio.to_thread.run_sync(work, limiter=self._one_at_a_time)


def _changed(told: foretelling.Foretelling, names: Iterable[str]) -> list[foretelling.ChangedProxy]:
    return [found for name in names if (found := told.proxy(name)) is not None]


def _stored(put: Put, existing: StoredResource | None) -> StoredResource:
    """What would be there after `put`."""
    return StoredResource(
        key=put.key,
        version=1 if existing is None else existing.version + 1,
        spec=put.spec,
        status=put.status if existing is None else existing.status,
        labels=put.labels,
        created_at=put.at if existing is None else existing.created_at,
        modified_at=put.at,
        owner=put.owner,
    )
