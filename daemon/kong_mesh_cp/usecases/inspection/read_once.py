"""What was made of resources the last time: the same text says the same and is not read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Final, Generic, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import StoredResource

T = TypeVar("T")

# What is made of a text takes up to ten times as many bytes.
KEPT_CHARACTERS_MAX: Final = 2 * 1024 * 1024  # of the texts of all meshes
KEPT_ITEM_CHARACTERS_MAX: Final = 16 * 1024  # of one text; a longer one is read anew each time
ITEM_CHARACTERS: Final = 128  # that an item, and a mesh, counts for beside its text


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    text: str
    labels: Mapping[str, str]
    value: T


class ReadOnce(Generic[T]):
    """Keeps what `read` makes of key, labels and spec of resources, mesh by mesh.

    A value is used as long as text and labels are letter for letter those that it was made of, so
    it is never out of date, however many write to the store. What a passage through a mesh did not
    come across is forgotten, and beyond KEPT_CHARACTERS_MAX the mesh that was looked at longest
    ago. Not to be used by two threads at a time.
    """

    def __init__(
        self,
        read: Callable[[StoredResource], T],
        characters_max: int = KEPT_CHARACTERS_MAX,
    ) -> None:
        self._read = read
        self._characters_max = characters_max
        self._meshes: dict[str, Passage[T]] = {}  # the one looked at last comes last

    def of_mesh(self, mesh: str, found: Iterable[StoredResource]) -> list[T]:
        """The values of all resources of a mesh, in their order."""
        passage = self.passage(mesh)
        values = [passage.value(each) for each in found]
        self.end(passage)
        return values

    def passage(self, mesh: str) -> Passage[T]:
        """To go through a mesh one by one; see `end`."""
        before = self._meshes.get(mesh)
        return Passage(mesh, self._read, self._characters_max, before.kept if before else {})

    def end(self, passage: Passage[T]) -> None:
        """Keep what a passage has come across, which were all resources of its mesh."""
        passage.before = {}
        self._meshes.pop(passage.mesh, None)
        self._meshes[passage.mesh] = passage
        room = self._characters_max - sum(each.characters for each in self._meshes.values())
        while room < 0:
            oldest = next(iter(self._meshes))
            room += self._meshes.pop(oldest).characters


@dataclass(slots=True)
class Passage(Generic[T]):
    """One time through the resources of a mesh."""

    mesh: str
    read: Callable[[StoredResource], T]
    characters_max: int
    before: Mapping[ResourceKey, _Kept[T]]
    kept: dict[ResourceKey, _Kept[T]] = field(default_factory=dict)
    characters: int = ITEM_CHARACTERS  # of `kept`; a mesh of its own counts too

    def value(self, stored: StoredResource) -> T:
        """What `read` makes of it. Raises: as `read` does."""
        item = self.before.get(stored.key)
        if item is None or item.text != stored.spec or item.labels != stored.labels:
            item = _Kept(stored.spec, stored.labels, self.read(stored))
        characters = len(item.text) + ITEM_CHARACTERS
        is_small = len(item.text) <= KEPT_ITEM_CHARACTERS_MAX
        if is_small and self.characters + characters <= self.characters_max:
            self.characters += characters
            self.kept[stored.key] = item
        return item.value
