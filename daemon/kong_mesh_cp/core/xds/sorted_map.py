"""A mapping by name that is never changed: the next one shares all but a small part of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Generic, TypeVar

V = TypeVar("V")

CHUNK_ITEMS: Final = 64  # copied for a change, beside one reference for so many items


class SortedMap(Mapping[str, V], Generic[V]):
    """Sorted by name. Of ten thousand items a change copies some two hundred references."""

    __slots__ = ("_chunks", "_firsts", "_size")

    def __init__(self, items: Mapping[str, V] | Iterable[tuple[str, V]] = ()) -> None:
        """Of several items of one name the last counts."""
        found = dict(items)
        names = sorted(found)
        self._chunks: tuple[dict[str, V], ...] = tuple(
            {name: found[name] for name in names[start : start + CHUNK_ITEMS]}
            for start in range(0, len(names), CHUNK_ITEMS)
        )
        self._firsts: tuple[str, ...] = tuple(names[::CHUNK_ITEMS])
        self._size = len(names)

    def __getitem__(self, name: str) -> V:
        if not self._chunks:
            raise KeyError(name)
        return self._chunks[self._place(name)][name]

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks:
            yield from chunk

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"SortedMap({dict(self)!r})"

    __hash__ = None  # type: ignore[assignment]  # as of any mapping

    def with_item(self, name: str, value: V) -> SortedMap[V]:
        """The same with `value` as `name`."""
        if not self._chunks:
            return SortedMap({name: value})
        place = self._place(name)
        chunk = dict(self._chunks[place])
        is_new = name not in chunk
        chunk[name] = value
        if is_new and name != max(chunk):
            chunk = {each: chunk[each] for each in sorted(chunk)}
        return self._with_chunk(place, chunk)

    def without(self, name: str) -> SortedMap[V]:
        """The same without `name`, which need not be there."""
        if name not in self:
            return self
        place = self._place(name)
        chunk = dict(self._chunks[place])
        del chunk[name]
        return self._with_chunk(place, chunk)

    def _place(self, name: str) -> int:
        """The chunk that `name` is in, if it is anywhere; there is one at least."""
        return max(bisect_right(self._firsts, name) - 1, 0)

    def _with_chunk(self, place: int, chunk: dict[str, V]) -> SortedMap[V]:
        if len(chunk) > 2 * CHUNK_ITEMS:
            names = list(chunk)
            half = len(names) // 2
            parts = [{each: chunk[each] for each in some} for some in (names[:half], names[half:])]
        else:
            parts = [chunk] if chunk else []
        made: SortedMap[V] = SortedMap()
        made._chunks = (*self._chunks[:place], *parts, *self._chunks[place + 1 :])
        firsts = (next(iter(part)) for part in parts)
        made._firsts = (*self._firsts[:place], *firsts, *self._firsts[place + 1 :])
        made._size = self._size - len(self._chunks[place]) + len(chunk)
        return made
