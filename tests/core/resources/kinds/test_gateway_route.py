"""MeshGatewayRoute: rules, matches and filters."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.kinds import ANY_SERVICE, SERVICE, Found, found, found_at, shown

EMPTY = "cannot be empty"
BACKENDS = [{"weight": 5, "destination": SERVICE}]


def route(**change: Any) -> dict[str, Any]:
    rule = {"matches": [{"path": {"value": "/"}}], "backends": BACKENDS} | change
    return {"selectors": ANY_SERVICE, "conf": {"http": {"rules": [rule]}}}


def in_rule(**change: Any) -> Found:
    return found_at("MeshGatewayRoute", route(**change), "conf.http.rules[0].")


def test_a_route_with_everything_is_valid_and_shown_as_it_was() -> None:
    matches = [
        {
            "path": {"match": "PREFIX", "value": "/"},
            "method": "GET",
            "headers": [
                {"match": "ABSENT", "name": "a"},
                {"match": "REGEX", "name": "b", "value": "c"},
            ],
            "queryParameters": [{"match": "REGEX", "name": "d", "value": "e"}],
        }
    ]
    filters = [
        {"rewrite": {"replacePrefixMatch": "/x"}},
        {"requestHeader": {"set": [{"name": "a", "value": "b"}], "remove": ["c"]}},
        {"mirror": {"backend": {"destination": SERVICE}, "percentage": 1.12}},
        {"responseHeader": {"add": [{"name": "a", "value": "b"}]}},
    ]
    body = route(matches=matches, filters=filters)
    body["conf"]["http"]["hostnames"] = ["foo.example.com"]
    assert found("MeshGatewayRoute", body) == []
    assert shown("MeshGatewayRoute", body) == body


def test_names_with_underscores_are_read_and_shown_without() -> None:
    body = route(matches=[{"query_parameters": [{"name": "a", "value": "b"}]}])
    (rule,) = shown("MeshGatewayRoute", body)["conf"]["http"]["rules"]
    assert rule["matches"] == [{"queryParameters": [{"name": "a", "value": "b"}]}]


@pytest.mark.parametrize("conf", [None, {}])
def test_a_route_is_of_some_protocol(conf: object) -> None:
    body = {"selectors": ANY_SERVICE, "conf": conf}
    assert found("MeshGatewayRoute", body) == [("conf", EMPTY)]


def test_a_route_of_tcp_is_taken_as_it_is() -> None:
    body = {"selectors": ANY_SERVICE, "conf": {"tcp": {"rules": [{"backends": BACKENDS}]}}}
    assert found("MeshGatewayRoute", body) == []
    assert shown("MeshGatewayRoute", body) == body


def test_a_route_of_http_has_rules_with_matches_and_backends() -> None:
    body = {"selectors": ANY_SERVICE, "conf": {"http": {}}}
    assert found("MeshGatewayRoute", body) == [("conf.http.rules", EMPTY)]
    assert in_rule(matches=[]) == [("matches", EMPTY)]
    assert in_rule(backends=[]) == [("backends", EMPTY)]
    missing = 'mandatory tag "kuma.io/service" is missing'
    assert in_rule(backends=[{"destination": {"a": "b"}}]) == [("backends[0]", missing)]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, [("", EMPTY)]),
        ({"method": "GET"}, []),
        ({"path": {"value": "a"}}, [(".value", "must be an absolute path")]),
        ({"path": {"match": "PREFIX", "value": ""}}, [(".value", "must be an absolute path")]),
        ({"path": {"match": "REGEX"}}, [(".value", EMPTY)]),
        ({"path": {"match": "REGEX", "value": "a"}}, []),
        ({"headers": [{"name": "a"}]}, [(".headers[0].value", EMPTY)]),
        ({"headers": [{"match": "PRESENT"}]}, [(".headers[0].name", EMPTY)]),
        (
            {"headers": [{"match": "ABSENT", "name": "a", "value": "b"}]},
            [(".headers[0].value", "cannot be set")],
        ),
        (
            {"queryParameters": [{}]},
            [(".query_parameters[0].name", EMPTY), (".query_parameters[0].value", EMPTY)],
        ),
    ],
)
def test_a_match(match: object, expected: Found) -> None:
    prefixed = [(f"matches[0]{field}", reason) for field, reason in expected]
    assert in_rule(matches=[match]) == prefixed


HOST = {"name": "host", "value": "a"}
KEPT = "cannot modify 'host' header, when route has set 'rewrite.host_to_backend_hostname' option"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"requestHeader": {}}], [("[0].request_header", EMPTY)]),
        (
            [{"requestHeader": {"set": [{"name": "a"}], "add": [{"value": "b"}], "remove": [""]}}],
            [
                ("[0].request_header.set[0].value", EMPTY),
                ("[0].request_header.add[0].name", EMPTY),
                ("[0].request_header.remove[0]", EMPTY),
            ],
        ),
        ([{"requestHeader": {"set": [HOST]}}], []),
        (
            [{"rewrite": {"hostToBackendHostname": True}}, {"requestHeader": {"add": [HOST]}}],
            [("[0].request_header.add[0]", KEPT)],
        ),
        ([{"mirror": {"percentage": 1}}], [("[0].mirror.backend", EMPTY)]),
        (
            [{"mirror": {"backend": {"destination": SERVICE}}}],
            [("[0].mirror.percentage", EMPTY)],
        ),
        (
            [{"mirror": {"percentage": 101, "backend": {"destination": SERVICE}}}],
            [("[0].mirror.percentage", "has to be in [0.0 - 100.0] range")],
        ),
        (
            [{"rewrite": {"replacePrefixMatch": "/"}}],
            [("[0].rewrite.replacePrefixMatch", "cannot be used without a match on path prefix")],
        ),
        ([{"rewrite": {"replaceFull": "/"}}], []),
        ([{"responseHeader": {}}], []),
    ],
)
def test_a_filter(filters: list[object], expected: Found) -> None:
    prefixed = [(f"filters{field}", reason) for field, reason in expected]
    assert in_rule(filters=filters) == prefixed


def redirect(**change: Any) -> dict[str, Any]:
    return {"redirect": {"hostname": "a.b", "statusCode": 301} | change}


@pytest.mark.parametrize(
    ("filters", "backends", "expected"),
    [
        ([redirect()], [], []),
        ([redirect()], BACKENDS, [("backends", "must be empty when using redirect filters")]),
        (
            [redirect(), {"requestHeader": {"remove": ["a"]}}],
            [],
            [("filters", "redirects cannot be used with other filters")],
        ),
        (
            [redirect(statusCode=309, port=65536)],
            [],
            [
                ("filters[0].redirect.port", "port must be in the range [1, 65535]"),
                ("filters[0].redirect.status_code", "must be in the range [300, 308]"),
            ],
        ),
    ],
)
def test_a_redirect(filters: list[object], backends: list[object], expected: Found) -> None:
    assert in_rule(filters=filters, backends=backends) == expected
