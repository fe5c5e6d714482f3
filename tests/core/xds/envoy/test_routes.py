"""Routes as Envoy has them (docs/wire/envoy-policies.md#routes)."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from kong_mesh_cp.core.policy.kinds.mesh_http_route import Conf
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.xds.envoy.routes import fraction, route_messages
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

PREFIX = {"path": {"type": "PathPrefix", "value": "/api"}}
EXACT = {"path": {"type": "Exact", "value": "/api"}}


def routes(match: dict[str, Any], *filters: dict[str, Any], clusters: Any = (("pay", 1),)) -> Any:
    conf = TypedConf(
        HTTP_ROUTE, {"rules": [{"matches": [match], "default": {"filters": list(filters)}}]}
    ).value
    assert isinstance(conf, Conf)
    (rule,) = conf.rules
    found = route_messages(
        "a", rule.matches[0], rule.default.filters or (), clusters, ("copy", "copy-2")
    )
    return [MessageToDict(each) for each in found]


def matches(match: dict[str, Any]) -> Any:
    return [each["match"] for each in routes(match)]


def redirect(**members: object) -> dict[str, Any]:
    return {"type": "RequestRedirect", "requestRedirect": members}


def rewrite(**members: object) -> dict[str, Any]:
    return {"type": "URLRewrite", "urlRewrite": members}


def mirror(percentage: object) -> dict[str, Any]:
    ref = {"kind": "MeshService", "name": "copy"}
    said = {} if percentage is None else {"percentage": percentage}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": ref, **said}}


def to_prefix(replacement: str) -> dict[str, Any]:
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": replacement}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Exact", "/api", [{"path": "/api"}]),
        ("PathPrefix", "/", [{"prefix": "/"}]),
        ("PathPrefix", "/api", [{"path": "/api"}, {"prefix": "/api/"}]),
        ("PathPrefix", "/api/", [{"path": "/api"}, {"prefix": "/api/"}]),
        ("RegularExpression", "/a.*", [{"safeRegex": {"regex": "/a.*"}}]),
    ],
)
def test_a_prefix_means_whole_segments(kind: str, value: str, expected: Any) -> None:
    assert matches({"path": {"type": kind, "value": value}}) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"type": "Exact", "value": "1"}, {"stringMatch": {"exact": "1"}}),
        ({"type": "Prefix", "value": "1"}, {"stringMatch": {"prefix": "1"}}),
        ({"type": "Prefix", "value": ""}, {"presentMatch": True}),
        (
            {"type": "RegularExpression", "value": "1*"},
            {"stringMatch": {"safeRegex": {"regex": "1*"}}},
        ),
        ({"type": "Present"}, {"presentMatch": True}),
        ({"type": "Absent"}, {"presentMatch": False}),
    ],
)
def test_a_header_is_compared_as_its_type_says(header: dict[str, str], expected: Any) -> None:
    (found,) = matches({**EXACT, "headers": [{"name": "x", **header}]})
    assert found["headers"] == [{"name": "x", **expected}]


def test_the_method_is_a_header_and_of_two_headers_of_one_name_the_first_counts() -> None:
    headers = [{"type": "Exact", "name": "x", "value": each} for each in "12"]
    (found,) = matches({**EXACT, "method": "GET", "headers": headers})
    assert found["headers"] == [
        {"name": ":method", "stringMatch": {"exact": "GET"}},
        {"name": "x", "stringMatch": {"exact": "1"}},
    ]


def test_parameters_of_the_query_are_compared_likewise() -> None:
    parameters = [
        {"type": "Exact", "name": "a", "value": "1"},
        {"type": "RegularExpression", "name": "b", "value": "2*"},
        {"type": "Exact", "name": "a", "value": "other"},
    ]
    (found,) = matches({**EXACT, "queryParams": parameters})
    assert found["queryParameters"] == [
        {"name": "a", "stringMatch": {"exact": "1"}},
        {"name": "b", "stringMatch": {"safeRegex": {"regex": "2*"}}},
    ]


def test_one_cluster_is_named_and_several_are_weighted() -> None:
    (one,) = routes(EXACT)
    assert one["route"] == {"cluster": "pay", "timeout": "0s"}
    (several,) = routes(EXACT, clusters=(("a", 9), ("b", 1)))
    assert several["route"]["weightedClusters"]["clusters"] == [
        {"name": "a", "weight": 9},
        {"name": "b", "weight": 1},
    ]


@pytest.mark.parametrize(
    ("kind", "member", "added"),
    [
        ("RequestHeaderModifier", "requestHeaderModifier", "requestHeaders"),
        ("ResponseHeaderModifier", "responseHeaderModifier", "responseHeaders"),
    ],
)
def test_headers_are_set_added_and_removed(kind: str, member: str, added: str) -> None:
    modifier = {
        "set": [{"name": "s", "value": "1"}],
        "add": [{"name": "a", "value": "2"}],
        "remove": ["r"],
    }
    (found,) = routes(EXACT, {"type": kind, member: modifier})
    assert found[f"{added}ToAdd"] == [
        {"header": {"key": "s", "value": "1"}, "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD"},
        {"header": {"key": "a", "value": "2"}},
    ]
    assert found[f"{added}ToRemove"] == ["r"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, None),  # Envoy's own default, which is not shown
        (302, "FOUND"),
        (303, "SEE_OTHER"),
        (307, "TEMPORARY_REDIRECT"),
        (308, "PERMANENT_REDIRECT"),
    ],
)
def test_a_redirection_takes_the_place_of_the_action(status: int, code: str | None) -> None:
    (found,) = routes(
        EXACT, redirect(scheme="https", hostname="a.test", port=8443, statusCode=status)
    )
    assert "route" not in found
    said = {} if code is None else {"responseCode": code}
    assert found["redirect"] == {
        "hostRedirect": "a.test",
        "portRedirect": 8443,
        "schemeRedirect": "https",
        **said,
    }


def test_a_whole_path_is_replaced_by_an_expression() -> None:
    path = {"type": "ReplaceFullPath", "replaceFullPath": "/new"}
    new = {"pattern": {"regex": ".*"}, "substitution": "/new"}
    for found in routes(PREFIX, redirect(path=path)):
        assert found["redirect"]["regexRewrite"] == new
    for found in routes(PREFIX, rewrite(path=path, hostname="b.test")):
        assert found["route"]["regexRewrite"] == new
        assert found["route"]["hostRewriteLiteral"] == "b.test"


def test_a_prefix_is_replaced_and_the_path_that_is_only_the_prefix_as_a_whole() -> None:
    whole, beginning = routes(PREFIX, rewrite(path=to_prefix("/v2")))
    assert whole["route"]["regexRewrite"] == {"pattern": {"regex": ".*"}, "substitution": "/v2"}
    assert beginning["route"]["prefixRewrite"] == "/v2"


def test_only_a_match_by_prefix_has_a_prefix_to_replace() -> None:
    (found,) = routes(EXACT, rewrite(path=to_prefix("/v2")))
    assert found["route"] == {"cluster": "pay", "timeout": "0s"}


@pytest.mark.parametrize(
    ("percentage", "expected"),
    [
        (None, None),
        (20, {"numerator": 20}),
        ("20", {"numerator": 20}),
        ("0.25", {"numerator": 25, "denominator": "TEN_THOUSAND"}),
        ("0.0001", {"numerator": 1, "denominator": "MILLION"}),
    ],
)
def test_a_share_of_the_requests_is_mirrored(percentage: object, expected: Any) -> None:
    (found,) = routes(EXACT, mirror(percentage))
    (policy,) = found["route"]["requestMirrorPolicies"]
    assert policy["cluster"] == "copy"
    assert policy.get("runtimeFraction", {}).get("defaultValue") == expected


def test_each_mirror_has_its_cluster() -> None:
    (found,) = routes(EXACT, mirror(1), mirror(2))
    clusters = [each["cluster"] for each in found["route"]["requestMirrorPolicies"]]
    assert clusters == ["copy", "copy-2"]


@pytest.mark.parametrize("second", [rewrite(hostname="a.test"), mirror(None)])
def test_what_is_redirected_cannot_be_rewritten_or_mirrored(second: dict[str, Any]) -> None:
    with pytest.raises(UnmakeableError, match="redirected"):
        routes(EXACT, redirect(hostname="b.test"), second)


@pytest.mark.parametrize(
    ("percentage", "expected"),
    [
        (0, (0, "HUNDRED")),
        (100, (100, "HUNDRED")),
        (12.5, (1250, "TEN_THOUSAND")),
        (33.3333, (333333, "MILLION")),
    ],
)
def test_a_fraction_is_as_exact_as_it_can_be(percentage: float, expected: tuple[int, str]) -> None:
    assert fraction(percentage) == expected
