"""The order in which a host's routes are tried (docs/wire/gateways.md#tables)."""

from __future__ import annotations

from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayRoute,
    Pair,
    PathChange,
    Redirect,
    RequestMatch,
    Rewrite,
)
from kong_mesh_cp.core.xds.gateways.route_tables import gateway_cluster, route_table


def route(origin: str = "r", **match: object) -> GatewayRoute:
    return GatewayRoute(origin=origin, match=RequestMatch(**match))  # type: ignore[arg-type]


def paths(*routes: GatewayRoute) -> list[str]:
    return [
        each.match.exact_path or f"{each.match.prefix_path or each.match.regex_path}*"
        for each in route_table(routes)
    ]


def origins(*routes: GatewayRoute) -> list[str]:
    return [each.origin for each in route_table(routes)]


def test_a_prefix_is_of_whole_segments() -> None:
    assert paths(route(prefix_path="/a")) == ["/a", "/a/*"]
    assert paths(route(prefix_path="/a/")) == ["/a", "/a/*"]
    assert paths(route(prefix_path="/")) == ["/", "/*"]


def test_an_exact_path_takes_the_place_of_a_prefix_there() -> None:
    found = route_table([route("prefix", prefix_path="/a"), route("exact", exact_path="/a")])
    assert [(each.origin, each.match.exact_path) for each in found] == [
        ("exact", "/a"),
        ("prefix", ""),
    ]


def test_exact_paths_come_before_prefixes_and_these_before_expressions() -> None:
    assert paths(
        route(regex_path="/r.*"),
        route(prefix_path="/long/prefix"),
        route(exact_path="/x"),
        route(prefix_path="/"),
        route(regex_path="/long.*"),
    ) == ["/long/prefix", "/x", "/", "/long/prefix/*", "/*", "/long.**", "/r.**"]


def test_of_equal_paths_who_asks_for_more_comes_first() -> None:
    header, parameter = Pair("x", "1"), Pair("q", "1")
    assert origins(
        route("any", exact_path="/a"),
        route("parameter", exact_path="/a", exact_parameters=(parameter,)),
        route("header", exact_path="/a", exact_headers=(header,)),
        route("absent", exact_path="/a", exact_headers=(header,), absent_headers=("y",)),
        route("method", exact_path="/a", method="GET"),
    ) == ["method", "absent", "header", "parameter", "any"]


def test_what_is_equal_stays_in_its_order() -> None:
    assert origins(route("b", exact_path="/a"), route("a", exact_path="/a")) == ["b", "a"]
    # Nothing else is compared of expressions of one length.
    assert origins(route("b", regex_path="/a.*"), route("a", regex_path="/b.*", method="GET")) == [
        "b",
        "a",
    ]


def test_what_takes_the_place_of_a_prefix_ends_as_the_prefix_does() -> None:
    rewrite = Rewrite(path=PathChange(prefix="/q/"), to_backend_host=True)
    itself, below = route_table(
        [GatewayRoute(origin="r", match=RequestMatch(prefix_path="/p"), rewrite=rewrite)]
    )
    assert itself.rewrite == Rewrite(path=PathChange(full="/q"))
    assert below.rewrite == Rewrite(path=PathChange(prefix="/q/"), to_backend_host=True)


def test_the_root_in_the_place_of_a_prefix_stays_a_path() -> None:
    redirect = Redirect(status=302, host="x.example", path=PathChange(prefix="/"))
    itself, below = route_table(
        [GatewayRoute(origin="r", match=RequestMatch(prefix_path="/p"), redirect=redirect)]
    )
    assert itself.redirect == Redirect(status=302, host="x.example", path=PathChange(full="/"))
    assert below.redirect == Redirect(status=302, host="x.example", path=PathChange(prefix="/"))


def test_each_host_has_clusters_of_its_own() -> None:
    tags = (("kuma.io/service", "pay"),)
    one = gateway_cluster(tags, (("kuma.io/service", "edge"),))
    other = gateway_cluster(tags, (("kuma.io/service", "edge"), ("port", "inner")))
    assert one != other
    assert one.rpartition("-")[0] == other.rpartition("-")[0] == "pay"
    assert one == gateway_cluster(tags, (("kuma.io/service", "edge"),))
