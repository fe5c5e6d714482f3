"""Which resources a list shows, and which part of them (docs/wire/resource-api.md#lists)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import Final, Generic, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService

T = TypeVar("T")

PAGE_ITEMS: Final = 100
PAGE_ITEMS_MAX: Final = 1000
ANY_VALUE: Final = "*"  # of a tag
PAGE_BYTES_MAX: Final = 4 * 1024 * 1024  # of what is stored; a page has one item at least


class GatewayFilter(StrEnum):
    """Which data plane proxies are meant by `gateway=`."""

    ANY = "true"
    NONE = "false"
    BUILTIN = "builtin"
    DELEGATED = "delegated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What to list. The value of a tag is a part of what is looked for, or `*`; all else is exact,
    but for the name, which is a part as well.
    """

    offset: int = 0
    size: int = PAGE_ITEMS
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    gateway: GatewayFilter | None = None
    bytes_max: int = PAGE_BYTES_MAX

    @property
    def looks_into_specs(self) -> bool:
        """Whether the store cannot answer it by itself."""
        return bool(self.tags) or self.gateway is not None

    def selects(self, spec: object) -> bool:
        """Whether a resource with this spec belongs to the list, as far as its spec decides."""
        return _has_tags(spec, self.tags) and _is_gateway(spec, self.gateway)


def _has_tags(spec: object, wanted: Mapping[str, str]) -> bool:
    match spec:
        case Dataplane():
            sets: Iterable[Mapping[str, str]] = spec.tag_sets
        case ExternalService():
            sets = (spec.tags,)
        case _:
            return True
    return not wanted or any(_contains(tags, wanted) for tags in sets)


def _contains(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(
        key in tags and (value == ANY_VALUE or value in tags[key]) for key, value in wanted.items()
    )


def _is_gateway(spec: object, wanted: GatewayFilter | None) -> bool:
    if not isinstance(spec, Dataplane):
        return True
    match wanted:
        case None:
            return True
        case GatewayFilter.ANY:
            return spec.gateway is not None
        case GatewayFilter.NONE:
            return spec.gateway is None
        case GatewayFilter.BUILTIN:
            return spec.is_builtin_gateway
        case GatewayFilter.DELEGATED:
            return spec.is_delegated_gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """One page of a list. `next_offset` is None on the last one.

    `is_cut`: it has fewer items than were asked for, because they are large. `text_bytes`: how much
    is stored for its items, where that was counted.
    """

    items: Sequence[T]
    total: int
    next_offset: int | None
    offset: int = 0
    is_cut: bool = False
    text_bytes: int = 0

    def up_to(self, count: int) -> Listing[T]:
        """The page that ends after `count` of its items."""
        if count == len(self.items):
            return self
        return replace(self, items=self.items[:count], next_offset=self.offset + count, is_cut=True)


def page_of(items: Sequence[T], query: ListQuery) -> Listing[T]:
    """The page that `query` asks for, out of all items of its list."""
    return listing(items[query.offset : query.offset + query.size], len(items), query)


def listing(page: Sequence[T], total: int, query: ListQuery, *, text_bytes: int = 0) -> Listing[T]:
    """`page` may have fewer items than it should: then the next one begins where it ends."""
    wanted = max(0, min(query.size, total - query.offset))
    end = query.offset + (len(page) if len(page) < wanted else query.size)
    return Listing(
        items=page,
        total=total,
        next_offset=end if end < total else None,
        offset=query.offset,
        is_cut=len(page) < wanted,
        text_bytes=text_bytes,
    )
