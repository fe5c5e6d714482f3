"""A mapping that is never changed and sorted by key: the next one shares most of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Any)  # sortable: texts, or tuples of them
V = TypeVar("V")

CHUNK_ITEMS: Final = 64  # copied for a change, beside one reference for so many items


class SortedMap(Mapping[K, V], Generic[K, V]):
    """Sorted by key. Of ten thousand items a change copies some two hundred references."""

    __slots__ = ("_chunks", "_firsts", "_size")

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        """Of several items of one key the last counts."""
        found = dict(items)
        keys = sorted(found)
        self._chunks: tuple[dict[K, V], ...] = tuple(
            {key: found[key] for key in keys[start : start + CHUNK_ITEMS]}
            for start in range(0, len(keys), CHUNK_ITEMS)
        )
        self._firsts: tuple[K, ...] = tuple(keys[::CHUNK_ITEMS])
        self._size = len(keys)

    def __getitem__(self, key: K) -> V:
        if not self._chunks:
            raise KeyError(key)
        return self._chunks[self._place(key)][key]

    def __iter__(self) -> Iterator[K]:
        for chunk in self._chunks:
            yield from chunk

    def items(self) -> ItemsView[K, V]:
        return _Items(self)

    def values(self) -> ValuesView[V]:
        return _Values(self)

    def chunks(self) -> tuple[Mapping[K, V], ...]:
        """All of it in parts, in order."""
        return self._chunks

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"SortedMap({dict(self)!r})"

    __hash__ = None  # type: ignore[assignment]  # as of any mapping

    def with_item(self, key: K, value: V) -> SortedMap[K, V]:
        """The same with `value` as `key`."""
        if not self._chunks:
            return SortedMap({key: value})
        place = self._place(key)
        chunk = dict(self._chunks[place])
        is_new = key not in chunk
        chunk[key] = value
        if is_new and key != max(chunk):
            chunk = {each: chunk[each] for each in sorted(chunk)}
        return self._with_chunk(place, chunk)

    def without(self, key: K) -> SortedMap[K, V]:
        """The same without `key`, which need not be there."""
        if key not in self:
            return self
        place = self._place(key)
        chunk = dict(self._chunks[place])
        del chunk[key]
        return self._with_chunk(place, chunk)

    def _place(self, key: K) -> int:
        """The chunk that `key` is in, if it is anywhere; there is one at least."""
        return bisect_right(self._firsts, key, 1) - 1

    def _with_chunk(self, place: int, chunk: dict[K, V]) -> SortedMap[K, V]:
        if len(chunk) > 2 * CHUNK_ITEMS:
            keys = list(chunk)
            half = len(keys) // 2
            parts = [{each: chunk[each] for each in some} for some in (keys[:half], keys[half:])]
        else:
            parts = [chunk] if chunk else []
        made: SortedMap[K, V] = SortedMap()
        made._chunks = (*self._chunks[:place], *parts, *self._chunks[place + 1 :])
        firsts = (next(iter(part)) for part in parts)
        made._firsts = (*self._firsts[:place], *firsts, *self._firsts[place + 1 :])
        made._size = self._size - len(self._chunks[place]) + len(chunk)
        return made


def differing(before: Mapping[K, V], after: Mapping[K, V]) -> set[K]:
    """The keys under which there is something else, or nothing. What both share takes no time."""
    was, now = _chunks(before), _chunks(after)
    shared = {id(each) for each in was} & {id(each) for each in now}
    old = {key: each for chunk in was if id(chunk) not in shared for key, each in chunk.items()}
    new = {key: each for chunk in now if id(chunk) not in shared for key, each in chunk.items()}
    return {
        key
        for key in old.keys() | new.keys()
        if key not in old or key not in new or not _is_same(old[key], new[key])
    }


def _is_same(one: object, other: object) -> bool:
    return one is other or one == other


def _chunks(items: Mapping[K, V]) -> tuple[Mapping[K, V], ...]:
    return items.chunks() if isinstance(items, SortedMap) else (items,)


class _Items(ItemsView[K, V]):
    """Without looking each key up again."""

    _mapping: SortedMap[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        for chunk in self._mapping.chunks():
            yield from chunk.items()


class _Values(ValuesView[V]):
    """Likewise."""

    _mapping: SortedMap[Any, V]

    def __iter__(self) -> Iterator[V]:
        for chunk in self._mapping.chunks():
            yield from chunk.values()
