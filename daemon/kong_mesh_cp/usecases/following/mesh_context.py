"""The resources of one mesh at one revision, read when they are asked for and kept until they
change.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.usecases.ports.resource_store import (
    ChangeKind,
    FeedItem,
    Page,
    ResourceChange,
    ResourceStore,
    Selection,
    StoredResource,
)

MESH: Final = "Mesh"

# Of all meshes together. What is made of a text (`MeshContext.derived`) takes up to ten times as
# much memory, and each collection of garbage looks at its parts: some 30 ms at this bound.
KEPT_TEXT_BYTES_MAX: Final = 3 * 1024 * 1024
ITEM_TEXT_BYTES: Final = 512  # that a page, and a resource on it, counts for beside the text


@dataclass(frozen=True, slots=True, eq=False)
class TypePage:
    """All resources of one type in one mesh, sorted by name, as they were at `revision`."""

    items: tuple[StoredResource, ...]
    revision: int
    text_bytes: int  # what it counts for, see ITEM_TEXT_BYTES


@dataclass(slots=True)
class _Derived:
    of: tuple[TypePage, ...]
    value: object


@dataclass(slots=True)
class _Kept:
    """What is known of one mesh; each page stands until a change of it is reported."""

    pages: dict[str, TypePage] = field(default_factory=dict)
    derived: dict[Hashable, _Derived] = field(default_factory=dict)

    @property
    def text_bytes(self) -> int:
        return sum(page.text_bytes for page in self.pages.values())

    def drop(self, type_name: str) -> None:
        page = self.pages.pop(type_name, None)
        if page is not None:
            self.derived = {
                name: derived
                for name, derived in self.derived.items()
                if all(each is not page for each in derived.of)
            }


class MeshContext:
    """Resources of one mesh by type, all of one `revision`; of a mesh that may not be there."""

    def __init__(
        self, mesh: str, revision: int, pages: Mapping[str, TypePage], kept: _Kept
    ) -> None:
        self.mesh = mesh
        self.revision = revision
        self._pages = pages
        self._kept = kept

    def of_type(self, type_name: str) -> Sequence[StoredResource]:
        """Sorted by name. Raises: KeyError for a type that was not asked for."""
        return self._pages[type_name].items

    @property
    def mesh_resource(self) -> StoredResource | None:
        """The Mesh itself; None: there is none."""
        return next(iter(self.of_type(MESH)), None)

    def derived(self, name: Hashable, types: Collection[str]) -> object | None:
        """What was kept with `keep`; None: nothing, or `types` are not what they were then."""
        found = self._kept.derived.get(name)
        return found.value if found is not None and found.of == self._sources(types) else None

    def keep(self, name: Hashable, types: Collection[str], value: object) -> None:
        """`value` follows from the resources of `types` alone; it is shared, so never changed.

        It is kept for as long as they are.
        """
        sources = self._sources(types)
        if self.is_kept(types):
            self._kept.derived[name] = _Derived(sources, value)

    def is_kept(self, types: Collection[str]) -> bool:
        """Whether resources of `types` are in memory until they change: `keep` is of use."""
        return all(self._kept.pages.get(each) is self._pages[each] for each in types)

    def _sources(self, types: Collection[str]) -> tuple[TypePage, ...]:
        return tuple(self._pages[each] for each in types)


class MeshContexts:
    """Contexts of all meshes of a store. Belongs to the event loop.

    A page that was read is right until a change is reported. Whether all were reported shows
    by the store's revision, which is asked for each context: so it shows what was written before.
    """

    def __init__(self, store: ResourceStore) -> None:
        self._store = store
        self._kept: dict[str, _Kept] = {}  # the one that was used last comes last
        self._following = False
        self._reported = -1  # the revision up to which changes were reported

    def begin(self) -> None:
        """Changes are reported from now on."""
        self._kept.clear()
        self._following, self._reported = True, -1

    def end(self) -> None:
        """Changes are not reported any more: nothing is known for longer than this moment."""
        self._kept.clear()
        self._following = False

    def take(self, item: FeedItem) -> None:
        self._reported = item.revision
        if not isinstance(item, ResourceChange):
            self._kept.clear()
            return
        key = item.key
        mesh = key.name if key.type == MESH else key.mesh
        if key.type == MESH and item.kind is ChangeKind.DELETED:
            self._kept.pop(mesh, None)
        elif mesh in self._kept:
            self._kept[mesh].drop(key.type)

    async def context(self, mesh: str, types: Collection[str]) -> MeshContext:
        """The newest there is. `types` are of mesh scope, or Mesh. Raises: StateError."""
        right: dict[str, TypePage] = {}
        revision = -1
        if mesh in self._kept:
            revision, right = await self._right_now(mesh, types)
        missing = [each for each in types if each not in right]
        if missing:
            read = await self._read(mesh, missing)
            if right and any(page.revision != revision for page in read.values()):
                # Something changed between the two questions: all of it once more, at once.
                right, read = {}, await self._read(mesh, types)
            revision = next(iter(read.values())).revision
            right |= read
            self._keep(mesh, read)
        kept = self._kept.pop(mesh, None) or _Kept()
        if kept.pages:
            self._kept[mesh] = kept
        return MeshContext(mesh, revision, right, kept)

    async def _right_now(
        self, mesh: str, types: Collection[str]
    ) -> tuple[int, dict[str, TypePage]]:
        """The store's newest revision, and what is kept of `types` and still the same there."""
        # Both of before the question. What is reported meanwhile may leave out what came between: a
        # feed tells the last change of a resource only.
        kept, reported = self._kept[mesh], self._reported
        pages = dict(kept.pages)
        revision = await self._store.revision()
        return revision, {
            each: page
            for each in types
            if (page := pages.get(each)) is not None
            and kept.pages.get(each) is page
            and max(page.revision, reported) >= revision
        }

    async def _read(self, mesh: str, types: Collection[str]) -> dict[str, TypePage]:
        found = await self._store.list_together([_selection(mesh, each) for each in types])
        return {each: _page(mesh, page) for each, page in zip(types, found, strict=True)}

    def _keep(self, mesh: str, read: Mapping[str, TypePage]) -> None:
        """As much of `read` as there is room for, in place of what was used longest ago."""
        if not self._following:
            return
        kept = self._kept.pop(mesh, None) or _Kept()
        self._kept[mesh] = kept
        for type_name, page in sorted(read.items(), key=lambda each: each[1].text_bytes):
            kept.drop(type_name)
            # What was reported since it was read may be a change of it.
            if page.revision >= self._reported and self._makes_room(page.text_bytes, but=mesh):
                kept.pages[type_name] = page

    def _makes_room(self, text_bytes: int, *, but: str) -> bool:
        if self._kept[but].text_bytes + text_bytes > KEPT_TEXT_BYTES_MAX:
            return False
        used = sum(kept.text_bytes for kept in self._kept.values())
        while used + text_bytes > KEPT_TEXT_BYTES_MAX:
            oldest = next(iter(self._kept))
            used -= self._kept.pop(oldest).text_bytes
        return True


def _selection(mesh: str, type_name: str) -> Selection:
    if type_name == MESH:
        return Selection(type=MESH, mesh="", name_contains=mesh)
    return Selection(type=type_name, mesh=mesh)


def _page(mesh: str, page: Page) -> TypePage:
    items = tuple(each for each in page.items if each.key.type != MESH or each.key.name == mesh)
    text_bytes = sum(each.text_bytes for each in items) + (1 + len(items)) * ITEM_TEXT_BYTES
    return TypePage(items, page.revision, text_bytes)
