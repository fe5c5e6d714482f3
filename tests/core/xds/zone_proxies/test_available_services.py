"""What the ingresses of a zone offer to other zones."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.core.xds.zone_proxies.available_services import available_services
from support.suites.recorded_proxies import stored, world_of


def dataplane(name: str, *tags: dict[str, str], ready: bool = True, mesh: str = "shop") -> Any:
    inbounds = [
        {"port": 8080 + index, "tags": each, **({} if ready else {"state": "NotReady"})}
        for index, each in enumerate(tags)
    ]
    networking = {"address": f"10.2.0.{len(name)}", "inbound": inbounds}
    return {"type": "Dataplane", "mesh": mesh, "name": name, "networking": networking}


def gateway_proxy(name: str) -> Any:
    networking = {
        "address": "10.3.0.1",
        "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}},
    }
    return {"type": "Dataplane", "mesh": "shop", "name": name, "networking": networking}


def external(name: str, zone: str) -> Any:
    tags = {"kuma.io/service": name, "kuma.io/zone": zone}
    networking = {"address": f"{name}.example:80"}
    return {
        "type": "ExternalService",
        "mesh": "shop",
        "name": name,
        "tags": tags,
        "networking": networking,
    }


def world(*documents: Any, **mesh: Any) -> MeshWorld:
    own = {"type": "Mesh", "name": "shop", "skipCreatingInitialPolicies": ["*"], **mesh}
    return world_of("shop", list(stored([own, *documents], {})))


def offered(found: MeshWorld, *prefixes: str) -> list[tuple[dict[str, str], int]]:
    return [(dict(each.tags), each.instances) for each in available_services([found], prefixes)]


WEB = {"kuma.io/service": "web", "version": "v1", "kuma.io/zone": "default"}


def test_instances_with_the_same_tags_are_counted() -> None:
    found = world(
        dataplane("a", WEB), dataplane("b", WEB), dataplane("c", {**WEB, "version": "v2"})
    )

    assert offered(found) == [(WEB, 2), ({**WEB, "version": "v2"}, 1)]


def test_what_is_not_ready_is_not_offered() -> None:
    assert offered(world(dataplane("a", WEB, ready=False))) == []


def test_of_tags_those_alone_are_told_that_begin_so() -> None:
    found = world(dataplane("a", WEB), dataplane("b", {**WEB, "version": "v2"}))

    assert offered(found, "kuma.io/service") == [({"kuma.io/service": "web"}, 2)]


def test_a_mesh_whose_services_are_resources_alone_offers_none_by_tags() -> None:
    assert offered(world(dataplane("a", WEB), meshServices={"mode": "Exclusive"})) == []


@pytest.mark.parametrize(("through_egress", "names"), [(True, ["here"]), (False, [])])
def test_external_services_of_this_zone_are_behind_its_egress(
    through_egress: bool,
    names: list[str],
) -> None:
    services = (external("here", "default"), external("there", "west"))
    found = available_services([world(*services, routing={"zoneEgress": through_egress})])

    assert [each.tags["kuma.io/service"] for each in found] == names
    assert all(each.external_service for each in found)


@pytest.mark.parametrize(("cross_mesh", "count"), [(True, 1), (False, 0)])
def test_gateways_for_other_meshes_are_offered_with_their_mesh(
    cross_mesh: bool,
    count: int,
) -> None:
    gateway = {
        "type": "MeshGateway",
        "mesh": "shop",
        "name": "edge",
        "selectors": [{"match": {"kuma.io/service": "edge"}}],
        "conf": {"listeners": [{"port": 80, "protocol": "HTTP", "crossMesh": cross_mesh}]},
    }
    found = offered(world(gateway, gateway_proxy("edge-1")))

    assert [tags for tags, _ in found] == (
        [{"kuma.io/mesh": "shop", "kuma.io/service": "edge", "kuma.io/zone": "default"}] * count
    )
