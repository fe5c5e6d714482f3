"""By which tags clients may ask a zone proxy for a service."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.zone_proxies.tagged_destinations import tagged_destinations
from support.suites.recorded_proxies import stored, world_of

SERVICE = "kuma.io/service"
MESH = {"type": "Mesh", "name": "shop", "skipCreatingInitialPolicies": ["*"]}
V1 = {SERVICE: "web", "version": "v1"}
ANY = {SERVICE: "*"}


def of_web(*documents: Any, available: Any = ()) -> list[dict[str, str]]:
    found = world_of("shop", list(stored([MESH, *documents], {})))
    return [dict(each) for each in tagged_destinations(found, available).of("web")]


def policy(kind: str, **members: Any) -> Any:
    return {"type": kind, "mesh": "shop", "name": "one", **members}


def traffic_route(**conf: Any) -> Any:
    every = [{"match": {SERVICE: "*"}}]
    return policy("TrafficRoute", sources=every, destinations=every, conf=conf)


def http_route(target: Any, **default: Any) -> Any:
    rules = [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": default}]
    return policy("MeshHTTPRoute", spec={"to": [{"targetRef": target, "rules": rules}]})


WEB_V1 = {"kind": "MeshServiceSubset", "name": "web", "tags": {"version": "v1"}}


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        ((), [ANY]),
        ((traffic_route(destination=V1),), [V1]),
        ((traffic_route(split=[{"weight": 1, "destination": V1}]),), [V1]),
        (
            (
                traffic_route(
                    http=[{"match": {"path": {"prefix": "/a"}}, "destination": V1}],
                    destination=ANY,
                ),
            ),
            [V1, ANY],
        ),
        ((http_route({"kind": "MeshService", "name": "web"}),), [{SERVICE: "web"}, ANY]),
        (
            (
                http_route(
                    {"kind": "MeshService", "name": "other"},
                    backendRefs=[{**WEB_V1, "weight": 1}],
                ),
            ),
            [V1, ANY],
        ),
    ],
)
def test_they_follow_from_the_routes_of_the_mesh(
    documents: tuple[Any, ...], found: list[dict[str, str]]
) -> None:
    assert of_web(*documents) == found


def test_names_of_virtual_outbounds_ask_by_their_parameters() -> None:
    named = policy(
        "VirtualOutbound",
        selectors=[{"match": {SERVICE: "*"}}],
        conf={
            "host": "{{.service}}.{{.version}}.mesh",
            "port": "80",
            "parameters": [
                {"name": "service", "tagKey": SERVICE},
                {"name": "version", "tagKey": "version"},
            ],
        },
    )
    assert of_web(named, available=[{**V1, "team": "a"}]) == [V1, ANY]
