"""The ports of services that are resources and what is behind them, kept while the world changes.

What a change does not touch is shared by both moments, as in `indexed_mesh`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.xds.services.instances import Endpoint
from kong_mesh_cp.core.xds.services.known_services import ServiceResources, next_services
from kong_mesh_cp.core.xds.services.service_endpoints import (
    Gates,
    behind_port,
    instances,
    members_of,
    of_parts,
    port_ids,
    service_endpoints,
    tags_of_inbounds,
)
from kong_mesh_cp.core.xds.services.service_resources import (
    EXTERNAL,
    MESH_SERVICE,
    MULTI_ZONE,
    ServiceResource,
)
from kong_mesh_cp.core.xds.sorted_map import SortedMap

Proxies = SortedMap[str, tuple[Endpoint, ...]]
Selected = Callable[[ServiceResource], Iterable[tuple[str, Dataplane]]]
"""The proxies that a MeshService may select, with their names."""


class ServiceIndex(NamedTuple):
    """What is behind services, and by what it is found again."""

    services: ServiceResources
    members: SortedMap[DestinationId, Proxies]  # by port, then by proxy
    gates: Gates
    reached: SortedMap[DestinationId, tuple[Endpoint, ...]]


def service_index(
    services: ServiceResources, dataplanes: Iterable[Resource[object]], gates: Gates
) -> ServiceIndex:
    """From scratch."""
    members = SortedMap(
        {key: SortedMap(some) for key, some in members_of(services, dataplanes).items()}
    )
    return ServiceIndex(
        services, members, gates, SortedMap(service_endpoints(services, members, gates))
    )


def next_service_index(
    before: ServiceIndex,
    changes: Mapping[ResourceKey, Resource[object] | None],
    dataplanes: Mapping[str, tuple[Dataplane | None, Dataplane | None]],
    gates: Gates,
    selected: Selected,
) -> ServiceIndex:
    """`before` after `changes`, of which `dataplanes` are as they were and as they are. `selected`
    is of the proxies as they are.
    """
    services = next_services(before.services, changes)
    changed = _changed(before.services, services, changes)
    if not changed and not dataplanes and gates == before.gates:
        return before
    members, touched = before.members, set[DestinationId]()
    for each in changed:
        old, new = before.services.find(each), services.find(each)
        ports = [key for one in (old, new) if one is not None for key in port_ids(one)]
        touched.update(ports)
        for key in ports:
            members = members.without(key)
        if new is not None and new.id.type == MESH_SERVICE and new.is_local:
            members = _joined(members, new, selected)
    for name, (was, now) in dataplanes.items():
        tags = frozenset[tuple[str, str]]().union(
            *(tags_of_inbounds(each) for each in (was, now) if each is not None)
        )
        for service in services.selecting(name, tags):
            found = {} if now is None else instances(service, name, now)
            for key in port_ids(service):
                proxies = members.get(key, Proxies())
                if proxies.get(name, ()) != found.get(key, ()):
                    touched.add(key)
                    members = _with_proxy(members, key, name, found.get(key, ()))
    if gates != before.gates:
        touched.update(_behind_gates(services))
    reached = before.reached
    for key in touched:
        reached = _with(reached, key, behind_port(services.find(key), key, members, gates))
    reached = _with_multi_zone(reached, services, before.services, touched, changed)
    return ServiceIndex(services, members, gates, reached)


def _changed(
    before: ServiceResources, after: ServiceResources, changes: Iterable[ResourceKey]
) -> set[DestinationId]:
    """Services that are others, whole."""
    if before is after:
        return set()
    places = [(key.type, key.name) for key in changes]
    found = {
        service.id
        for services in (before, after)
        for place in places
        if (service := services.by_name.get(place)) is not None
    }
    return {each for each in found if before.find(each) != after.find(each)}


def _joined(
    members: SortedMap[DestinationId, Proxies], service: ServiceResource, selected: Selected
) -> SortedMap[DestinationId, Proxies]:
    found: dict[DestinationId, dict[str, tuple[Endpoint, ...]]] = {}
    for name, dataplane in selected(service):
        for key, some in instances(service, name, dataplane).items():
            found.setdefault(key, {})[name] = some
    for key, proxies in found.items():
        members = members.with_item(key, SortedMap(proxies))
    return members


def _with_proxy(
    members: SortedMap[DestinationId, Proxies],
    key: DestinationId,
    name: str,
    some: tuple[Endpoint, ...],
) -> SortedMap[DestinationId, Proxies]:
    proxies = members.get(key, Proxies())
    proxies = proxies.with_item(name, some) if some else proxies.without(name)
    return members.with_item(key, proxies) if proxies else members.without(key)


def _with(
    reached: SortedMap[DestinationId, tuple[Endpoint, ...]],
    key: DestinationId,
    some: tuple[Endpoint, ...],
) -> SortedMap[DestinationId, tuple[Endpoint, ...]]:
    if reached.get(key, ()) == some:
        return reached
    return reached.with_item(key, some) if some else reached.without(key)


def _behind_gates(services: ServiceResources) -> Iterable[DestinationId]:
    for each in services.of_type(EXTERNAL):
        yield from port_ids(each)
    for each in services.of_type(MESH_SERVICE):
        if not each.is_local:
            yield from port_ids(each)


def _with_multi_zone(
    reached: SortedMap[DestinationId, tuple[Endpoint, ...]],
    services: ServiceResources,
    before: ServiceResources,
    touched: Iterable[DestinationId],
    changed: Iterable[DestinationId],
) -> SortedMap[DestinationId, tuple[Endpoint, ...]]:
    """With the ports of services that stand for others, as these are now."""
    wholes = {key._replace(section_name="") for key in touched} | {*changed}
    stale = {each.id for key in wholes for each in services.with_part(key)}
    stale |= {key for key in wholes if key.type == MULTI_ZONE}
    for key in stale:
        service = services.find(key)
        found = {} if service is None else of_parts(service, services, reached)
        for one in (before.find(key), service):
            for port in () if one is None else port_ids(one):
                reached = _with(reached, port, found.get(port, ()))
    return reached
