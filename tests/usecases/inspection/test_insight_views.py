"""Insights that are made while they are read.

Source: docs/wire/insights.md#serviceinsight, docs/wire/insights.md#global-insight
"""

from __future__ import annotations

import json

import pytest

from kong_mesh_cp.core.identity.users import ADMIN
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import ServiceType
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.resources.queries import ListQuery
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from support.daemons.resource_api import ResourceApi
from support.fakes.fake_resources import CountedLists

SERVICES = {
    "web": {"status": "online", "dataplanes": {"online": 2, "offline": 1}},
    "db": {"status": "online", "serviceType": "external"},
    "gw": {"status": "offline", "serviceType": "gateway_builtin", "dataplanes": {"offline": 1}},
}


async def populated() -> ResourceApi:
    api = ResourceApi(store=CountedLists())
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    await api.put("Zone", "east")
    await _store(api, ResourceKey("ServiceInsight", "m", "all-services-m"), {"services": SERVICES})
    subscriptions = [{"id": "1", "connectTime": "2026-01-01T00:00:00Z"}]
    await _store(api, ResourceKey("ZoneInsight", "", "east"), {"subscriptions": subscriptions})
    counts = {
        "policies": {"MeshRetry": {"total": 2}},
        "resources": {"MeshRetry": {"total": 2}, "Secret": {"total": 1}},
        "dataplanesByType": {"standard": {"total": 3, "online": 2, "offline": 1}},
    }
    await _store(api, ResourceKey("MeshInsight", "", "m"), counts)
    return api


async def _store(api: ResourceApi, key: ResourceKey, document: object) -> None:
    await api.store.apply([Put(key=key, spec=json.dumps(document), at=api.now)])


async def test_each_service_is_an_item_with_its_total_and_address() -> None:
    api = await populated()
    page = await api.insights.services(ADMIN, "m", ListQuery(), ())
    assert [each["name"] for each in page.items] == ["db", "gw", "web"]
    web = page.items[2]
    assert web["dataplanes"] == {"total": 3, "online": 2, "offline": 1}
    assert web["addressPort"] == "web.mesh:80"
    assert "addressPort" not in page.items[0]
    assert page.items[1]["serviceType"] == "gateway_builtin"


async def test_services_are_filtered_by_type_and_name() -> None:
    api = await populated()
    wanted = (ServiceType.internal, ServiceType.external)
    page = await api.insights.services(ADMIN, None, ListQuery(name="b", size=1), wanted)
    assert [each["name"] for each in page.items] == ["db"]
    assert (page.total, page.next_offset) == (2, 1)


async def test_a_service_nobody_offers_is_shown_where_the_mesh_has_others() -> None:
    api = await populated()
    assert (await api.insights.service(ADMIN, "m", "none"))["dataplanes"] == {}
    await api.put("Mesh", "empty", skipCreatingInitialPolicies=["*"])
    with pytest.raises(ResourceRefusedError):
        await api.insights.service(ADMIN, "empty", "none")


async def test_the_global_insight_adds_up_those_of_meshes_and_zones() -> None:
    shown = await (await populated()).insights.global_insight()
    none = {"offline": 0, "online": 0, "partiallyDegraded": 0, "total": 0}
    assert shown["dataplanes"] == {
        "gatewayBuiltin": none,
        "gatewayDelegated": none,
        "standard": {**none, "offline": 1, "online": 2, "total": 3},
    }
    assert shown["services"] == {
        "external": {"total": 1},
        "gatewayBuiltin": {**none, "offline": 1, "total": 1},
        "gatewayDelegated": none,
        "internal": {**none, "online": 1, "total": 1},
    }
    assert shown["resources"] == {"MeshRetry": {"total": 2}, "Secret": {"total": 1}}
    assert shown["policies"] == {"total": 2}
    zones = shown["zones"]
    assert isinstance(zones, dict)
    assert zones["controlPlanes"] == {"online": 1, "total": 1}
    assert zones["zoneEgresses"] == {"online": 0, "total": 0}


async def test_the_older_insight_counts_global_types() -> None:
    shown = await (await populated()).insights.global_insights()
    assert shown["resources"] == {
        "GlobalSecret": {"total": 0},
        "HostnameGenerator": {"total": 0},
        "Mesh": {"total": 1},
        "Zone": {"total": 1},
        "ZoneEgress": {"total": 0},
        "ZoneIngress": {"total": 0},
    }


async def test_what_is_added_up_is_of_one_moment() -> None:
    api = await populated()
    assert isinstance(api.store, CountedLists)
    for view in (api.insights.global_insight, api.insights.global_insights, api.insights.zones):
        api.store.questions = 0
        await view()
        assert api.store.questions == 1, view
