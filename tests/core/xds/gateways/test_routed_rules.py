"""What rules of MeshHTTPRoutes do at a gateway (docs/wire/gateways.md#routes)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import ToldEdge, by_path, edge, gateway, http_route, rule, to_tag
from support.specs.sidecars import instance

PAY = to_tag("pay")
SERVICES = (instance("pay", "http"), instance("audit", "http", last=3))


def routes(*rules: Any) -> list[Any]:
    found: list[Any] = ToldEdge(edge(), gateway(), *SERVICES, http_route(*rules)).table()
    return found


def only(*rules: Any) -> Any:
    (found,) = routes(*rules)
    return found


def exactly(*filters: Any, refs: tuple[Any, ...] = (PAY,)) -> Any:
    """The one route for exactly `/x`."""
    return only(by_path("/x", *refs, match="Exact", filters=list(filters)))


def test_requests_are_matched_by_all_that_is_said() -> None:
    match = {
        "path": {"type": "RegularExpression", "value": "/x.*"},
        "method": "POST",
        "headers": [
            {"name": "a", "value": "1"},
            {"type": "RegularExpression", "name": "b", "value": "2.*"},
            {"type": "Present", "name": "c"},
            {"type": "Absent", "name": "d"},
            {"type": "Prefix", "name": "e", "value": "5"},
        ],
        "queryParams": [
            {"type": "Exact", "name": "q", "value": "1"},
            {"type": "RegularExpression", "name": "r", "value": "2.*"},
        ],
    }
    assert only(rule(match, refs=(PAY,)))["match"] == {
        "safeRegex": {"regex": "/x.*"},
        "headers": [
            {"name": ":method", "stringMatch": {"exact": "POST"}},
            {"name": "a", "stringMatch": {"exact": "1"}},
            {"name": "b", "stringMatch": {"safeRegex": {"regex": "2.*"}}},
            {"name": "c", "presentMatch": True},
            {"name": "d", "presentMatch": False},
            {"name": "e", "prefixMatch": "5"},
        ],
        "queryParameters": [
            {"name": "q", "stringMatch": {"exact": "1"}},
            {"name": "r", "stringMatch": {"safeRegex": {"regex": "2.*"}}},
        ],
    }


def test_without_a_path_any_fits() -> None:
    found = routes(rule({"method": "GET"}, refs=(PAY,)))
    assert [{**each["match"], "headers": ()} for each in found] == [
        {"path": "/", "headers": ()},
        {"prefix": "/", "headers": ()},
    ]


def test_a_route_stands_for_each_match_under_the_name_of_all() -> None:
    exact = [{"path": {"type": "Exact", "value": path}} for path in ("/a", "/b")]
    found = routes(rule(*exact, refs=(PAY,)))
    assert [each["match"]["path"] for each in found] == ["/a", "/b"]
    assert found[0]["name"] == found[1]["name"]


def test_the_more_exact_is_tried_first() -> None:
    found = routes(
        by_path("/", PAY),
        by_path("/long/", PAY, match="RegularExpression"),
        by_path("/longer", PAY),
        by_path("/x", PAY, match="Exact"),
    )
    told = [next(iter(each["match"].values())) for each in found]
    assert told == ["/longer", "/x", "/", "/longer/", "/", {"regex": "/long/"}]


def test_traffic_is_shared_by_weight_and_tells_who_asks() -> None:
    refs = (to_tag("pay", 3), to_tag("audit", 0))
    clusters = exactly(refs=refs)["route"]["weightedClusters"]["clusters"]
    assert [(each["name"].partition("-")[0], each["weight"]) for each in clusters] == [
        ("audit", 0),
        ("pay", 3),
    ]
    (header,) = clusters[0]["requestHeadersToAdd"]
    assert header["header"] == {
        "key": "x-kuma-tags",
        "value": "&kuma.io/service=edge&&kuma.io/zone=default&",
    }


@pytest.mark.parametrize(
    "ref",
    [
        to_tag("kuma.io/unresolved-backend"),
        to_tag("nobody", port=80),
        {"kind": "MeshExternalService", "name": "nobody", "weight": 1},
        {"kind": "MeshService", "labels": {"no": "body"}, "port": 80, "weight": 1},
    ],
)
def test_what_is_not_there_is_answered_with_an_error(ref: dict[str, Any]) -> None:
    action = exactly(refs=(ref,))["route"]
    (share,) = action["weightedClusters"]["clusters"]
    assert share["name"] == "kuma.io/unresolved-backend"
    assert action["clusterNotFoundResponseCode"] == "INTERNAL_SERVER_ERROR"


def test_a_redirect_leads_to_the_port_of_the_listener_unless_it_says_one() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "a.example"}}
    assert exactly(redirect, refs=())["redirect"] == {
        "hostRedirect": "a.example",
        "portRedirect": 8080,
        "responseCode": "FOUND",
        "stripQuery": True,
    }
    whole = {"type": "ReplaceFullPath", "replaceFullPath": "/y"}
    said = {"scheme": "https", "port": 443, "statusCode": 308, "path": whole}
    redirect = {"type": "RequestRedirect", "requestRedirect": said}
    assert exactly(redirect, refs=())["redirect"] == {
        "schemeRedirect": "https",
        "portRedirect": 443,
        "regexRewrite": {"pattern": {"regex": ".*"}, "substitution": "/y"},
        "responseCode": "PERMANENT_REDIRECT",
        "stripQuery": True,
    }


def test_a_prefix_is_replaced_by_whole_segments() -> None:
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": path, "hostname": "a.example"}}
    exact, below = routes(by_path("/x", PAY, filters=[rewrite]))
    assert exact["route"]["regexRewrite"]["substitution"] == "/new"
    assert below["route"]["prefixRewrite"] == "/new/"
    assert below["route"]["hostRewriteLiteral"] == "a.example"


def test_the_host_may_be_that_of_the_backend() -> None:
    rewrite = {"type": "URLRewrite", "urlRewrite": {"hostToBackendHostname": True}}
    assert exactly(rewrite)["route"]["autoHostRewrite"] is True


def test_headers_of_several_filters_add_up() -> None:
    def changed(name: str) -> dict[str, Any]:
        said = {"set": [{"name": name, "value": "1"}], "remove": [f"no-{name}"]}
        return {"type": "RequestHeaderModifier", "requestHeaderModifier": said}

    answer = {"add": [{"name": "c", "value": "3"}]}
    filters = (
        changed("a"),
        changed("b"),
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": answer},
    )
    found = exactly(*filters)
    assert [each["header"]["key"] for each in found["requestHeadersToAdd"]] == ["A", "B"]
    assert found["requestHeadersToRemove"] == ["no-a", "no-b"]
    (added,) = found["responseHeadersToAdd"]
    assert added["header"] == {"key": "C", "value": "3"}


@pytest.mark.parametrize(
    ("percentage", "share"),
    [
        ({}, {"numerator": 100}),
        ({"percentage": "1.5"}, {"numerator": 150, "denominator": "TEN_THOUSAND"}),
    ],
)
def test_a_mirror_gets_its_share(percentage: dict[str, Any], share: dict[str, Any]) -> None:
    said = {"backendRef": to_tag("audit"), **percentage}
    action = exactly({"type": "RequestMirror", "requestMirror": said})["route"]
    (mirror,) = action["requestMirrorPolicies"]
    assert mirror["cluster"].startswith("audit-")
    assert mirror["runtimeFraction"]["defaultValue"] == share


def test_a_rule_that_leads_nowhere_answers_an_error_and_is_told() -> None:
    told = ToldEdge(
        edge(),
        gateway(),
        *SERVICES,
        http_route(by_path("/x", match="Exact"), target={"kind": "Mesh"}),
    )
    (route,) = told.table()
    assert route["directResponse"]["status"] == 500
    assert told.complaints == ["edge:HTTP:8080:*: r: the route leads nowhere"]
