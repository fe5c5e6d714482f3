"""Books of names of proxies, by what these are found by."""

from __future__ import annotations

from typing import TypeVar

from kong_mesh_cp.core.xds.sorted_map import SortedMap

Names = SortedMap[str, None]
"""Names of proxies, sorted."""

K = TypeVar("K")


def moved(
    book: SortedMap[K, Names], name: str, before: frozenset[K], after: frozenset[K]
) -> SortedMap[K, Names]:
    """`book` after `name`, which was found by `before`, is found by `after`."""
    for key in before - after:
        names = book[key].without(name)
        book = book.with_item(key, names) if names else book.without(key)
    for key in after - before:
        book = book.with_item(key, book.get(key, Names()).with_item(name, None))
    return book


def marked(names: Names, name: str, *, here: bool) -> Names:
    """`names` with `name`, or without it."""
    if here == (name in names):
        return names
    return names.with_item(name, None) if here else names.without(name)
