"""Which tags are asked of endpoints where connections are passed on."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.tags import Tags
from kong_mesh_cp.core.xds.services.instances import Endpoint, pairs
from kong_mesh_cp.core.xds.zone_proxies.passed_on import subsets_of, tagged_passages
from kong_mesh_cp.core.xds.zone_proxies.tagged_destinations import TaggedDestinations

SERVICE = "kuma.io/service"


def endpoint(address: str, **tags: str) -> Endpoint:
    return Endpoint(address, 80, pairs({SERVICE: "web", **tags}))


def asked(destination: Tags, *endpoints: Endpoint) -> tuple[str, dict[str, str]]:
    destinations = TaggedDestinations([{SERVICE: "web", **destination}])
    (found,) = tagged_passages("shop", [{SERVICE: "web"}], destinations, {"web": [endpoints]})
    return found.server_name, dict(found.tags)


@pytest.mark.parametrize(
    ("destination", "versions", "tags"),
    [
        ({}, ("v1", "v2"), {}),
        ({"version": "v1"}, ("v1", "v2"), {"version": "v1"}),
        ({"version": "v1"}, ("v1", "v1"), {}),
        ({"version": "*"}, ("v1", "v2"), {}),
    ],
)
def test_a_tag_is_asked_for_where_not_every_address_has_it(
    destination: Tags, versions: tuple[str, ...], tags: Tags
) -> None:
    endpoints = (
        endpoint(f"10.0.0.{number}", version=version) for number, version in enumerate(versions)
    )
    assert asked(destination, *endpoints)[1] == tags


def test_at_one_address_envoy_tells_no_endpoints_apart() -> None:
    same = (endpoint("10.0.0.1", version="v1"), endpoint("10.0.0.1", version="v2"))

    assert asked({"version": "v1"}, *same) == ("web{mesh=shop,version=v1}", {})


def test_an_empty_tag_is_one_that_need_not_be_there() -> None:
    assert asked({"version": ""}, endpoint("10.0.0.1"))[1] == {}


def test_a_name_leads_to_one_place_however_often_it_is_a_destination() -> None:
    destinations = TaggedDestinations([{SERVICE: "web"}, {SERVICE: "*"}])
    found = tagged_passages("shop", [{SERVICE: "web"}, {SERVICE: "web"}], destinations, {})

    assert [each.server_name for each in found] == ["web{mesh=shop}"]


def test_a_cluster_has_a_subset_for_each_set_of_tags() -> None:
    every = [{SERVICE: "*"}, {SERVICE: "*", "version": "v1", "team": "a"}, {SERVICE: "*", "b": ""}]

    assert subsets_of([], every) == (("b",), ("team", "version"))
