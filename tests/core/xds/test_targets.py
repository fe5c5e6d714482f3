"""Which outbounds a proxy has (docs/wire/virtual-addresses.md#transparent-proxies)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.targets import targets_of
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
