"""Insights that are put together when they are read: services, and everything at once.

Source: docs/wire/insights.md#serviceinsight, docs/wire/insights.md#global-insight
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from kong_mesh_cp.core.formats.go.go_values import read_object
from kong_mesh_cp.core.identity.access import AccessRules, ReadResource, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.bodies import shown_time
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import (
    Count,
    MeshInsight,
    ProxyCount,
    ProxyInsight,
    Service,
    ServiceProxies,
    ServiceStatus,
    ServiceType,
    ZoneInsight,
)
from kong_mesh_cp.core.resources.kinds.zone import Zone
from kong_mesh_cp.core.schema.messages import read_message, write_message
from kong_mesh_cp.usecases.ports.resource_store import (
    Page,
    ResourceStore,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import (
    JsonDocument,
    members,
    shown_meta,
    spec_as,
)
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery, listing
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import GET_ONE, not_found
from kong_mesh_cp.usecases.resources.sweeping import in_slices

S = TypeVar("S")

SERVICE_INSIGHT: Final = "ServiceInsight"
_COUNTED: Final = ("GlobalSecret", "HostnameGenerator", "Mesh", "Zone", "ZoneEgress", "ZoneIngress")
_OF_ZONES: Final = ("Zone", "ZoneEgress", "ZoneIngress")
_SERVICE_PORT: Final = 80
_SERVICE_DOMAIN: Final = "mesh"


class InsightViews:
    """Errors as those of `Reading`."""

    def __init__(
        self,
        store: ResourceStore,
        reading: ResourceReader,
        access: AccessRules,
        wall_clock: WallClock,
    ) -> None:
        self._store = store
        self._reading = reading
        self._access = access
        self._wall_clock = wall_clock

    async def services(
        self, user: User, mesh: str | None, query: ListQuery, types: Collection[ServiceType]
    ) -> Listing[JsonDocument]:
        """One item for each service; `types` empty: of any type."""
        if mesh is not None:
            await self._reading.require_mesh(mesh)
        require(self._access, user, ReadResource(SERVICE_INSIGHT))
        found = await self._store.list(Selection(type=SERVICE_INSIGHT, mesh=mesh))
        selected = [
            (stored, name, service)
            for stored in found.items
            async for name, service in _services(stored, query.name)
            if not types or service.service_type in types
        ]
        page = selected[query.offset : query.offset + query.size]
        items = [_shown(*each) async for each in in_slices(page)]
        return listing(items, len(selected), query)

    async def service(self, user: User, mesh: str, name: str) -> JsonDocument:
        """One service; one without a proxy is shown as such, as long as the mesh has others."""
        await self._reading.require_mesh(mesh)
        require(self._access, user, ReadResource(SERVICE_INSIGHT))
        stored = await self._store.get(ResourceKey(SERVICE_INSIGHT, mesh, f"all-services-{mesh}"))
        if stored is None:
            raise not_found(GET_ONE)
        document = _service_documents(stored).get(name, {})
        return _shown(stored, name, read_message(Service, document))

    async def global_insights(self) -> JsonDocument:
        """How many there are of each global type."""
        pages = await self._pages(counted=_COUNTED)
        counts = {each: {"total": pages[each].total} for each in _COUNTED}
        created = shown_time(self._wall_clock())
        return {"type": "GlobalInsights", "creationTime": created, "resources": counts}

    async def global_insight(self) -> JsonDocument:
        """Sums over the insights of all meshes and zones, as they are at one moment."""
        insights = (f"{each}Insight" for each in ("Mesh", "Service", *_OF_ZONES))
        pages = await self._pages(tuple(insights), counted=("Mesh", *_OF_ZONES))
        of_meshes = await _specs(MeshInsight, pages["MeshInsight"])
        proxies = [each.dataplanes_by_type for each in of_meshes if each.dataplanes_by_type]
        return {
            "createdAt": shown_time(self._wall_clock()),
            "dataplanes": {
                "gatewayBuiltin": _proxies(each.gateway_builtin for each in proxies),
                "gatewayDelegated": _proxies(each.gateway_delegated for each in proxies),
                "standard": _proxies(each.standard for each in proxies),
            },
            "meshes": {"total": pages["Mesh"].total},
            "policies": {"total": _total_of(each.policies for each in of_meshes)},
            "resources": _totals(each.resources for each in of_meshes),
            "services": await _service_counts(pages[SERVICE_INSIGHT]),
            "zones": {
                "controlPlanes": await _online(ZoneInsight, "Zone", pages),
                "zoneEgresses": await _online(ProxyInsight, "ZoneEgress", pages),
                "zoneIngresses": await _online(ProxyInsight, "ZoneIngress", pages),
            },
        }

    async def zones(self) -> list[JsonDocument] | None:
        """Each zone, and whether it takes part; None where there are none, as in the original."""
        pages = await self._pages(("Zone", "ZoneInsight"))
        online = {
            each.key.name
            async for each in in_slices(pages["ZoneInsight"].items)
            if spec_as(ZoneInsight, each).is_online
        }
        zones: list[JsonDocument] = [
            {
                "name": each.key.name,
                "active": each.key.name in online and spec_as(Zone, each).is_enabled,
            }
            async for each in in_slices(pages["Zone"].items)
        ]
        return zones or None

    async def _pages(
        self, whole: Sequence[str] = (), *, counted: Sequence[str] = ()
    ) -> Mapping[str, Page]:
        """The lists of types at one moment; of those that are `counted` the total alone counts."""
        selections = [
            *(Selection(type=each) for each in whole),
            *(Selection(type=each, limit=1) for each in counted),
        ]
        pages = await self._store.list_together(selections)
        return dict(zip((*whole, *counted), pages, strict=True))


async def _service_counts(page: Page) -> JsonDocument:
    services = [service for each in page.items async for _, service in _services(each)]
    external = [each for each in services if each.service_type == ServiceType.external]
    return {
        "external": {"total": len(external)},
        "gatewayBuiltin": _by_status(services, ServiceType.gateway_builtin),
        "gatewayDelegated": _by_status(services, ServiceType.gateway_delegated),
        "internal": _by_status(services, ServiceType.internal),
    }


async def _online(
    insight_type: type[ZoneInsight | ProxyInsight], type_name: str, pages: Mapping[str, Page]
) -> JsonDocument:
    insights = await _specs(insight_type, pages[f"{type_name}Insight"])
    online = sum(each.is_online for each in insights)
    return {"online": online, "total": pages[type_name].total}


async def _specs(spec_type: type[S], page: Page) -> list[S]:
    return [spec_as(spec_type, each) async for each in in_slices(page.items)]


async def _services(
    stored: StoredResource, name_contains: str = ""
) -> AsyncIterator[tuple[str, Service]]:
    """Those of one insight, by name; there may be as many as there are proxies."""
    documents = sorted(_service_documents(stored).items())
    async for name, document in in_slices([each for each in documents if name_contains in each[0]]):
        yield name, read_message(Service, document)


def _service_documents(stored: StoredResource) -> Mapping[str, object]:
    """The JSON of each service of one insight by its name. Raises: ParseError."""
    return read_object(members(stored).get("services", {}))


def _shown(stored: StoredResource, name: str, service: Service) -> JsonDocument:
    proxies = service.dataplanes or ServiceProxies()
    counted = replace(proxies, total=proxies.online + proxies.offline)
    if service.service_type == ServiceType.internal:
        address = f"{name}.{_SERVICE_DOMAIN}:{_SERVICE_PORT}"
        service = replace(service, address_port=address)
    if service.dataplanes is not None or service.service_type != ServiceType.external:
        service = replace(service, dataplanes=counted)
    return {**shown_meta(stored, SERVICE_INSIGHT, name), **write_message(service)}


def _proxies(counts: Iterable[ProxyCount | None]) -> JsonDocument:
    known = [each for each in counts if each is not None]
    return {
        "offline": sum(each.offline for each in known),
        "online": sum(each.online for each in known),
        "partiallyDegraded": sum(each.partially_degraded for each in known),
        "total": sum(each.total for each in known),
    }


def _by_status(services: Iterable[Service], service_type: ServiceType) -> JsonDocument:
    statuses = [each.status for each in services if each.service_type == service_type]
    return {
        "offline": statuses.count(ServiceStatus.offline),
        "online": statuses.count(ServiceStatus.online),
        "partiallyDegraded": statuses.count(ServiceStatus.partially_degraded),
        "total": len(statuses),
    }


def _totals(counts: Iterable[Mapping[str, Count]]) -> JsonDocument:
    sums: dict[str, int] = {}
    for of_mesh in counts:
        for name, count in of_mesh.items():
            sums[name] = sums.get(name, 0) + count.total
    return {name: {"total": sums[name]} for name in sorted(sums)}


def _total_of(counts: Iterable[Mapping[str, Count]]) -> int:
    return sum(count.total for of_mesh in counts for count in of_mesh.values())
