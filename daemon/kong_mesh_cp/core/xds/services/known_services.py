"""The services of a mesh that are resources, and by what each is found.

Source: docs/wire/service-resources.md#destinations
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, TypeVar

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.xds.services.service_resources import (
    SERVICE_TYPES,
    ServiceResource,
    service_resource,
)
from kong_mesh_cp.core.xds.sorted_map import SortedMap

K = TypeVar("K", bound=Any)

Named = SortedMap[str, ServiceResource]
"""Services by the name of the resource."""


class ServiceResources:
    """Those of one mesh, and by what they are found; never changed. The next one shares what a
    change does not touch.
    """

    def __init__(self, services: Iterable[ServiceResource] = ()) -> None:
        by_name: dict[tuple[str, str], ServiceResource] = {}
        by_id: dict[DestinationId, dict[str, ServiceResource]] = {}
        by_tag: dict[tuple[str, str], dict[str, ServiceResource]] = {}
        by_proxy: dict[str, dict[str, ServiceResource]] = {}
        by_part: dict[DestinationId, dict[str, ServiceResource]] = {}
        for each in services:
            by_name[each.place] = each
            by_id.setdefault(each.id, {})[each.name] = each
            for pair in each.selected_tag:
                by_tag.setdefault(pair, {})[each.name] = each
            for proxy in each.selected_proxy:
                by_proxy.setdefault(proxy, {})[each.name] = each
            for part in each.parts:
                by_part.setdefault(part, {})[each.name] = each
        self.by_name: SortedMap[tuple[str, str], ServiceResource] = SortedMap(by_name)
        self._by_id = _sorted(by_id)
        self._by_tag = _sorted(by_tag)
        self._by_proxy = _sorted(by_proxy)
        self._by_part = _sorted(by_part)
        self._by_labels: dict[tuple[object, ...], tuple[ServiceResource, ...]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServiceResources) and self.by_name == other.by_name

    __hash__ = object.__hash__  # it is never looked for by what it says

    def replaced(
        self, old: ServiceResource | None, new: ServiceResource | None
    ) -> ServiceResources:
        """The same with `new` in the place of `old`, of the same type and name; None: there is
        none.
        """
        made = ServiceResources()
        either = old or new
        if either is None:
            return self
        place, name = either.place, either.name
        made.by_name = (
            self.by_name.without(place) if new is None else self.by_name.with_item(place, new)
        )
        made._by_id = _moved(self._by_id, name, _ids(old), _ids(new), new)
        made._by_tag = _moved(self._by_tag, name, _tags(old), _tags(new), new)
        made._by_proxy = _moved(self._by_proxy, name, _proxies(old), _proxies(new), new)
        made._by_part = _moved(self._by_part, name, _parts(old), _parts(new), new)
        return made

    def find(self, wanted: DestinationId) -> ServiceResource | None:
        """The service of `wanted`, whichever of its ports that is."""
        named = self._by_id.get(wanted._replace(section_name=""))
        # Of two that are the same service, as an original and its copy, the last one counts.
        return None if named is None else named[max(named)]

    def counts(self, service: ServiceResource) -> bool:
        """No other one is the same service, and later."""
        return self.find(service.id) is service

    def of_type(self, service_type: str) -> tuple[ServiceResource, ...]:
        """By name."""
        return self._by_type.get(service_type, ())

    def by_labels(
        self, service_type: str, wanted: Mapping[str, str]
    ) -> tuple[ServiceResource, ...]:
        """All that carry `wanted`; without any label none does."""
        if not wanted:
            return ()
        key = (service_type, *sorted(wanted.items()))
        found = self._by_labels.get(key)
        if found is None:
            found = tuple(
                each for each in self.of_type(service_type) if wanted.items() <= each.labels.items()
            )
            self._by_labels[key] = found
        return found

    def oldest(self, service_type: str, wanted: Mapping[str, str]) -> ServiceResource | None:
        """Of those that carry `wanted`: a new one takes no traffic from another."""
        found = self.by_labels(service_type, wanted)
        return min(found, key=lambda each: (each.created_at, each.name), default=None)

    def meant(self, kind: str, name: str, namespace: str, source: Meta) -> DestinationId:
        """The service that `source` calls `name`: one of its own zone."""
        zone = source.zone or ""
        return DestinationId(kind, source.mesh, zone, namespace or source.namespace, name)

    def with_part(self, part: DestinationId) -> Iterator[ServiceResource]:
        """The services of several zones that the MeshService `part` belongs to."""
        yield from filter(self.counts, self._by_part.get(part, Named()).values())

    def selecting(self, proxy: str, tags: frozenset[tuple[str, str]]) -> Iterator[ServiceResource]:
        """MeshServices that may select `proxy`, which has `tags` on its inbounds; each once."""
        for pair in tags:
            yield from filter(self.counts, self._by_tag.get(pair, Named()).values())
        yield from filter(self.counts, self._by_proxy.get(proxy, Named()).values())

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[ServiceResource, ...]]:
        found: dict[str, list[ServiceResource]] = {}
        for each in filter(self.counts, self.by_name.values()):
            found.setdefault(each.id.type, []).append(each)
        return {each: tuple(some) for each, some in found.items()}


def _ids(service: ServiceResource | None) -> tuple[DestinationId, ...]:
    return () if service is None else (service.id,)


def _tags(service: ServiceResource | None) -> tuple[tuple[str, str], ...]:
    return () if service is None else service.selected_tag


def _proxies(service: ServiceResource | None) -> tuple[str, ...]:
    return () if service is None else service.selected_proxy


def _parts(service: ServiceResource | None) -> tuple[DestinationId, ...]:
    return () if service is None else service.parts


def _sorted(book: Mapping[K, Mapping[str, ServiceResource]]) -> SortedMap[K, Named]:
    return SortedMap({key: SortedMap(named) for key, named in book.items()})


def _moved(
    book: SortedMap[K, Named],
    name: str,
    was: Iterable[K],
    now: Iterable[K],
    new: ServiceResource | None,
) -> SortedMap[K, Named]:
    for key in {*was} - {*now}:
        named = book[key].without(name)
        book = book.with_item(key, named) if named else book.without(key)
    if new is not None:
        for key in {*now}:
            book = book.with_item(key, book.get(key, Named()).with_item(name, new))
    return book


NO_SERVICES: Final = ServiceResources()


def service_resources(
    by_type: Mapping[str, Mapping[str, Resource[object]]],
) -> ServiceResources:
    """Those of one mesh from scratch, out of its resources by type and name."""
    found = (
        service_resource(each) for kind in SERVICE_TYPES for each in by_type.get(kind, {}).values()
    )
    return ServiceResources(each for each in found if each is not None)


def next_services(
    before: ServiceResources, changes: Mapping[ResourceKey, Resource[object] | None]
) -> ServiceResources:
    """`before` after `changes`, of which those of other types are none; the same where all that
    changed is nothing that anybody is told.
    """
    after = before
    for key, resource in changes.items():
        if key.type not in SERVICE_TYPES:
            continue
        was = after.by_name.get((key.type, key.name))
        now = None if resource is None else service_resource(resource)
        if was != now:
            after = after.replaced(was, now)
    return after
