"""Which outbounds a proxy has (docs/wire/virtual-addresses.md#transparent-proxies)."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest

from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.targets import targets_of
from support.specs.service_documents import external, mesh_service, multi_zone, reached_at
from support.specs.transparent_proxies import Json, inbound, mesh, proxy, view_of, web

PAY = proxy("pay-1", "10.0.0.2", inbound("pay"))
EXTERNAL = {
    "type": "ExternalService",
    "mesh": "m",
    "name": "es",
    "networking": {"address": "10.0.0.1:8080"},
    "tags": {"kuma.io/service": "same-place"},
}


def targets(*documents: Json) -> list[tuple[str, str, int]]:
    return [
        (each.service, each.address, each.port) for each in targets_of(view_of(*documents), Parts())
    ]


def test_a_transparent_proxy_has_an_outbound_for_each_name_its_own_service_too() -> None:
    assert targets(web(), PAY) == [("pay", "240.0.0.0", 80), ("web", "240.0.0.1", 80)]


def test_any_other_proxy_has_those_that_it_lists() -> None:
    outbound = {"port": 10001, "tags": {"kuma.io/service": "pay"}}
    listing = proxy("web-1", "10.0.0.1", inbound("web"), outbound=[outbound])
    assert targets(listing, PAY) == [("pay", "127.0.0.1", 10001)]


def test_reachable_services_are_all_that_there_is_to_reach() -> None:
    assert targets(web(reachableServices=["pay"]), PAY) == [("pay", "240.0.0.0", 80)]
    assert targets(web(reachableServices=["none"]), PAY) == []
    assert len(targets(web(reachableServices=[]), PAY)) == 2


def test_proxies_that_list_the_same_outbounds_share_them() -> None:
    def listing(address: str, port: int) -> Json:
        outbound = {"port": port, "tags": {"kuma.io/service": "pay"}}
        return proxy("web-1", address, inbound("web"), outbound=[outbound])

    parts = Parts()
    first = targets_of(view_of(listing("10.0.0.1", 10001), PAY), parts)
    assert targets_of(view_of(listing("10.0.0.2", 10001), PAY), parts) is first
    assert targets_of(view_of(listing("10.0.0.3", 10002), PAY), parts) != first


def test_where_meshservices_replace_services_by_tag_there_are_none() -> None:
    exclusive = mesh(meshServices={"mode": "Exclusive"})
    assert targets(exclusive, web(), PAY) == []
    assert len(targets(mesh(meshServices={"mode": "Everywhere"}), web(), PAY)) == 2


@pytest.mark.parametrize(
    "own",
    [
        web(),
        proxy("web-1", "10.0.0.7", inbound("web", 80, serviceAddress="10.0.0.1", servicePort=8080))
        | {"transparent": True},
    ],
)
def test_an_outbound_where_the_proxy_or_its_application_listens_is_left_out(own: Json) -> None:
    if own.pop("transparent", False):
        own["networking"]["transparentProxying"] = {
            "redirectPortInbound": 15006,
            "redirectPortOutbound": 15001,
        }
    found = targets(own, EXTERNAL)
    assert ("same-place", "10.0.0.1", 8080) not in found
    assert ("same-place", "240.0.0.0", 80) in found


def test_what_was_made_for_one_mesh_is_shared_by_its_proxies() -> None:
    parts = Parts()
    first = proxy("a", "10.0.0.3", inbound("a"))
    view = view_of(web(), first)
    assert targets_of(view, parts) is targets_of(view, parts)


VIP = "241.0.0.0"
SERVICES = (
    mesh_service("pay", ports=[{"port": 80, "name": "main"}, {"port": 81}], status=reached_at(VIP)),
    external("stripe", status={"vip": {"ip": "242.0.0.0"}}),
    multi_zone("all", status=reached_at("243.0.0.0")),
)
OF_RESOURCES = [
    ("pay", "main", VIP, 80),
    ("pay", "81", VIP, 81),
    ("stripe", "", "242.0.0.0", 80),
    ("all", "80", "243.0.0.0", 80),
]


def resources(*documents: Json) -> list[tuple[str, str, str, int]]:
    found = targets_of(view_of(*documents), Parts())
    return [
        (each.resource.name, each.resource.section_name, each.address, each.port)
        for each in found
        if each.resource is not None
    ]


def test_a_transparent_proxy_has_an_outbound_for_each_address_and_port_of_a_resource() -> None:
    assert resources(web(), *SERVICES) == OF_RESOURCES
    assert resources(web(), mesh_service("pay")) == []  # it has no address yet


@pytest.mark.parametrize(
    ("mode", "tags", "of_resources"),
    [
        ("Disabled", 1, OF_RESOURCES),
        ("Everywhere", 1, OF_RESOURCES),
        ("Exclusive", 0, OF_RESOURCES),
        ("ReachableBackends", 1, []),
    ],
)
def test_the_mode_of_the_mesh_says_what_is_reached_unasked(
    mode: str, tags: int, of_resources: list[object]
) -> None:
    own = mesh(meshServices={"mode": mode})
    assert resources(own, web(), *SERVICES) == of_resources
    found = targets_of(view_of(own, web(), *SERVICES), Parts())
    assert len([each for each in found if each.resource is None]) == tags


@pytest.mark.parametrize("mode", ["Everywhere", "ReachableBackends", "Exclusive"])
@pytest.mark.parametrize(
    ("refs", "expected"),
    [
        ([], []),
        ([{"kind": "MeshService", "name": "pay"}], OF_RESOURCES[:2]),
        ([{"kind": "MeshService", "name": "pay", "port": 80}], OF_RESOURCES[:1]),
        ([{"kind": "MeshService", "name": "pay", "port": 81}], OF_RESOURCES[1:2]),
        ([{"kind": "MeshService", "name": "pay", "port": 82}], []),
        ([{"kind": "MeshService", "name": "none"}], []),
        ([{"kind": "MeshExternalService", "name": "stripe"}], OF_RESOURCES[2:3]),
        ([{"kind": "MeshExternalService", "name": "stripe", "port": 80}], []),
        # It is of no zone, and a name is one of the proxy's own.
        ([{"kind": "MeshMultiZoneService", "name": "all"}], []),
        ([{"kind": "MeshMultiZoneService", "labels": {"team": "all"}}], OF_RESOURCES[3:]),
        ([{"kind": "MeshService", "labels": {"kuma.io/zone": "default"}}], OF_RESOURCES[:2]),
    ],
)
def test_reachable_backends_are_all_resources_that_there_are_to_reach(
    mode: str, refs: list[Json], expected: list[object]
) -> None:
    own = mesh(meshServices={"mode": mode})
    assert resources(own, web(reachableBackends={"refs": refs}), *SERVICES) == expected


def test_who_names_reachable_services_by_tag_alone_reaches_no_resources() -> None:
    assert resources(web(reachableServices=["pay"]), *SERVICES) == []
    both = web(
        reachableServices=["pay"],
        reachableBackends={"refs": [{"kind": "MeshService", "name": "pay"}]},
    )
    assert resources(both, *SERVICES) == OF_RESOURCES[:2]
    assert targets(both, PAY)[:1] == [("pay", "240.0.0.0", 80)]


def test_proxies_that_reach_the_same_resources_share_their_outbounds() -> None:
    parts = Parts()
    first = view_of(web(), *SERVICES)
    again = replace(first, dataplane=replace(first.dataplane, spec=copy(first.dataplane.spec)))
    assert targets_of(first, parts) is targets_of(again, parts)
