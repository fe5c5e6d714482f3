"""Which route a request takes (docs/wire/envoy-policies.md#routes)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE, Meta
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.xds.routing import (
    Route,
    filters_of,
    http_routes,
    match_of,
    tcp_backends,
)
from kong_mesh_cp.core.xds.services.backends import Backend, Backends
from kong_mesh_cp.core.xds.world import mesh_world, pairs
from support.fakes.resources import AT

OWN = pairs({"kuma.io/service": "pay"})
ITSELF = (Backend(OWN, 100, "pay"),)
SOURCE = Meta(HTTP_ROUTE, "shop", "routes")
SHOP = Resource(
    type="Mesh", mesh="", name="shop", labels={}, spec=Mesh(), created_at=AT, modified_at=AT,
    version=1,
)  # fmt: skip
WORLD = replace(
    mesh_world(SHOP, {}, MeshView(), zone="default"), protocols={"not-carried": "mysql"}
)


def backends(carried: Callable[[str], bool] = lambda _: True) -> Backends:
    return Backends(WORLD, carried, set())


def tags_of(backend: Backend) -> dict[str, str]:
    assert not isinstance(backend.to, DestinationId)
    return dict(backend.to)


def origins(*rules: dict[str, Any]) -> dict[str, Meta]:
    return {matches_hash(each["matches"]): SOURCE for each in rules}


def path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}}


def rule(*matches: dict[str, Any], **default: object) -> dict[str, Any]:
    return {"matches": list(matches), "default": default}


def ref(name: str, weight: int = 1, **members: object) -> dict[str, Any]:
    kind = "MeshServiceSubset" if "tags" in members else "MeshService"
    return {"kind": kind, "name": name, "weight": weight, **members}


def conf_of(*rules: dict[str, Any]) -> TypedConf:
    return TypedConf(HTTP_ROUTE, {"rules": list(rules)})


def paths(conf: TypedConf, found: tuple[Route, ...]) -> list[str]:
    """Of the routes in their order; those that come from no rule are left out."""
    matches = (match_of(conf, each) for each in found if each.rule is not None)
    return [each.path.value for each in matches if each.path is not None]


def test_without_a_conf_everything_goes_to_the_service_itself() -> None:
    (route,) = http_routes(None, OWN, backends())
    assert route.backends == ITSELF
    assert match_of(None, route).path is not None
    assert filters_of(None, route) == ()


def test_the_more_exact_path_is_tried_first() -> None:
    wanted = [
        path("/a", "Exact"),
        path("/api/v1"),
        path("/api"),
        path("/api/v1.*", "RegularExpression"),
        path("/.*", "RegularExpression"),
    ]
    for order in permutations(wanted):
        conf = conf_of(*map(rule, order))
        found = paths(conf, http_routes(conf, OWN, backends()))
        assert found == [each["path"]["value"] for each in wanted]


def test_then_those_that_ask_for_more() -> None:
    a = {"type": "Exact", "name": "a", "value": "1"}
    wanted = [
        {**path("/x"), "method": "GET"},
        {**path("/x"), "headers": [a, {**a, "name": "b"}]},
        {**path("/x"), "headers": [a], "queryParams": [a]},
        {**path("/x"), "headers": [a]},
        {**path("/x"), "queryParams": [a]},
        path("/x"),
    ]
    for order in (wanted, wanted[::-1]):
        conf = conf_of(*map(rule, order))
        found = http_routes(conf, OWN, backends())
        assert [order[each.rule] for each in found if each.rule is not None] == wanted


def test_of_equals_the_first_comes_first() -> None:
    conf = conf_of(rule(path("/b")), rule(path("/a")))
    assert paths(conf, http_routes(conf, OWN, backends())) == ["/b", "/a"]


def test_what_no_rule_takes_goes_to_the_service_itself_and_comes_last() -> None:
    found = http_routes(conf_of(rule(path("/a"), backendRefs=[ref("other")])), OWN, backends())
    assert [each.rule for each in found] == [0, None]
    assert found[-1].backends == ITSELF


def test_a_rule_for_everything_leaves_nothing_to_be_taken() -> None:
    found = http_routes(conf_of(rule(path("/"), backendRefs=[ref("other")])), OWN, backends())
    assert [each.backends for each in found] == [
        (Backend(pairs({"kuma.io/service": "other"}), 1, "other"),)
    ]


def test_a_rule_for_every_path_of_some_requests_is_none_for_everything() -> None:
    conf = conf_of(rule({**path("/"), "method": "GET"}))
    assert [each.rule for each in http_routes(conf, OWN, backends())] == [0, None]


def test_all_matches_of_a_rule_have_its_name() -> None:
    first, second, other, _ = http_routes(
        conf_of(rule(path("/aaa"), path("/aa")), rule(path("/b"))), OWN, backends()
    )
    assert (first.name, first.match, second.match) == (second.name, 0, 1)
    assert other.name != first.name


def test_a_match_without_a_path_has_them_all() -> None:
    conf = conf_of(rule({"method": "GET"}))
    route, _ = http_routes(conf, OWN, backends())
    match = match_of(conf, route)
    assert match.path is not None
    assert (match.path.value, match.path.type, match.method) == ("/", "PathPrefix", "GET")


@pytest.mark.parametrize(
    "left_out",
    [
        ref("other", weight=0),
        ref("not-carried"),
        ref("other", port=80),
        {"kind": "MeshService", "labels": {"team": "red"}, "weight": 1},
        {"kind": "MeshExternalService", "name": "other", "weight": 1},
        {"kind": "MeshMultiZoneService", "name": "other", "port": 80, "weight": 1},
    ],
)
def test_a_backend_that_gets_nothing_or_is_not_there_is_left_out(
    left_out: dict[str, Any],
) -> None:
    carried = backends(lambda protocol: protocol != "mysql")
    two = rule(path("/"), backendRefs=[left_out, ref("there", 3)])
    (route,) = http_routes(conf_of(two), OWN, carried, origins(two))
    assert [(each.cluster, each.weight) for each in route.backends] == [("there", 3)]
    nowhere = rule(path("/"), backendRefs=[left_out])
    assert http_routes(conf_of(nowhere), OWN, carried, origins(nowhere)) == ()


def test_a_service_that_cannot_be_carried_has_no_routes() -> None:
    assert http_routes(None, OWN, backends(lambda _: False)) == ()


def test_each_filter_that_mirrors_has_its_backend() -> None:
    filters = [
        {"type": "RequestMirror", "requestMirror": {"backendRef": ref("copy")}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": ref("b", tags={"v": "1"})}},
    ]
    conf = conf_of(rule(path("/"), filters=filters))
    (route,) = http_routes(conf, OWN, backends())
    assert [tags_of(each) for each in route.mirrors if each is not None] == [
        {"kuma.io/service": "copy"},
        {"kuma.io/service": "b", "v": "1"},
    ]
    assert len(filters_of(conf, route)) == 2


def test_what_cannot_be_the_backend_of_a_route_is_no_mirror_of_it() -> None:
    filters = [
        {"type": "RequestMirror", "requestMirror": {"backendRef": ref(name, weight)}}
        for name, weight in (("not-carried", 1), ("copy", 0), ("copy", 1))
    ]
    conf = conf_of(rule(path("/"), filters=filters))
    (route,) = http_routes(conf, OWN, backends(lambda protocol: protocol != "mysql"))
    assert [None if each is None else each.cluster for each in route.mirrors] == [
        None,
        None,
        "copy",
    ]


def test_connections_are_split_by_weight() -> None:
    refs = [ref("a", 90), ref("b", 10, tags={"v": "1"}), ref("c", 0)]
    conf = TypedConf(TCP_ROUTE, {"default": {"backendRefs": refs}})
    found = tcp_backends(conf, OWN, backends())
    assert found is not None
    assert [(tags_of(each), each.weight) for each in found] == [
        ({"kuma.io/service": "a"}, 90),
        ({"kuma.io/service": "b", "v": "1"}, 10),
    ]


def test_connections_without_a_route_go_to_the_service_if_it_can_be_carried() -> None:
    assert tcp_backends(None, OWN, backends()) == ITSELF
    assert tcp_backends(None, OWN, backends(lambda _: False)) == ()


def test_connections_whose_route_refers_to_nothing_are_not_taken() -> None:
    unknown = {"kind": "MeshService", "labels": {"team": "nobody"}, "port": 80, "weight": 1}
    conf = TypedConf(TCP_ROUTE, {"default": {"backendRefs": [unknown]}})
    assert tcp_backends(conf, OWN, backends()) is None
