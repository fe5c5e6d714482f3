"""TrafficRoute: where traffic goes."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.kinds import SERVICE, Found, connection, found, found_at, shown

OPTIONS = 'cannot be empty. Available options: "exact", "split" or "regex"'
EMPTY = "cannot be empty"

FULL: dict[str, Any] = {
    "split": [{"weight": 0, "destination": SERVICE}, {"weight": 10, "destination": SERVICE}],
    "loadBalancer": {
        "ringHash": {"hashFunction": "XX_HASH", "minRingSize": "64", "maxRingSize": "1024"}
    },
    "http": [
        {
            "match": {
                "method": {"exact": "GET"},
                "path": {"prefix": "/offers"},
                "headers": {"x-a": {"regex": "^a$"}},
            },
            "modify": {
                "path": {"rewritePrefix": "/not-offers"},
                "host": {"fromPath": {"pattern": "^/(.+)$", "substitution": "\\1"}},
                "requestHeaders": {
                    "add": [{"name": "a", "value": "b", "append": True}],
                    "remove": [{"name": "c"}],
                },
                "responseHeaders": {"remove": [{"name": "d"}]},
            },
            "destination": SERVICE,
        }
    ],
}


def test_a_route_with_everything_is_valid_and_shown_as_it_was() -> None:
    assert found("TrafficRoute", connection(FULL)) == []
    assert shown("TrafficRoute", connection(FULL)) == connection(FULL)


def test_a_route_goes_somewhere() -> None:
    assert found("TrafficRoute", connection(None)) == [("conf", EMPTY)]
    assert found("TrafficRoute", connection({})) == [
        ("conf", 'requires either "destination" or "split"')
    ]


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"destination": SERVICE}, []),
        (
            {"destination": {}},
            [
                (".destination", "must have at least one tag"),
                (".destination", 'mandatory tag "kuma.io/service" is missing'),
            ],
        ),
        (
            {"destination": SERVICE, "split": [{"weight": 1, "destination": SERVICE}]},
            [("", '"split" cannot be defined at the same time as "destination"')],
        ),
        (
            {"split": [{"destination": SERVICE}]},
            [
                (".split[0].weight", "needs to be defined"),
                (".split", "there must be at least one split entry with weight above 0"),
            ],
        ),
    ],
)
def test_the_target_of_a_route(conf: object, expected: Found) -> None:
    assert found_at("TrafficRoute", connection(conf), "conf") == expected


@pytest.mark.parametrize(
    ("balancer", "expected"),
    [
        ({}, []),
        ({"roundRobin": {}}, []),
        ({"round_robin": {}}, []),
        ({"random": {}}, []),
        ({"maglev": {}}, []),
        ({"leastRequest": {}}, []),
        ({"leastRequest": {"choiceCount": 2}}, []),
        (
            {"leastRequest": {"choiceCount": 1}},
            [("leastRequest.choiceCount", "value must be greater than or equal to 2")],
        ),
        ({"ringHash": {}}, [("ringHash.hashFunction", "must have a valid hash function")]),
    ],
)
def test_a_load_balancer(balancer: object, expected: Found) -> None:
    policy = connection({"destination": SERVICE, "loadBalancer": balancer})
    assert found_at("TrafficRoute", policy, "conf.loadBalancer.") == expected


def test_the_last_load_balancer_wins() -> None:
    policy = connection({"loadBalancer": {"maglev": {}, "roundRobin": {}}})
    assert shown("TrafficRoute", policy)["conf"] == {"loadBalancer": {"maglev": {}}}


def http(**change: Any) -> Found:
    route = {"match": {"path": {"prefix": "/"}}, "destination": SERVICE} | change
    policy = connection({"destination": SERVICE, "http": [route]})
    return found_at("TrafficRoute", policy, "conf.http[0].")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (
            None,
            [
                (
                    "match",
                    (
                        "must be present and contain at least one of the elements: "
                        '"method", "path" or "headers"'
                    ),
                )
            ],
        ),
        ({"method": {}}, [("match.method", OPTIONS)]),
        ({"path": {"prefix": ""}}, [("match.path.prefix", EMPTY)]),
        ({"path": {"regex": ""}}, [("match.path.regex", EMPTY)]),
        ({"path": {"exact": ""}}, []),
        ({"headers": {}}, [("match.headers", "must contain at least one element")]),
        (
            {"headers": {"": {}}},
            [('match.headers[""]', EMPTY), ('match.headers[""]', OPTIONS)],
        ),
    ],
)
def test_a_match(match: object, expected: Found) -> None:
    assert http(match=match) == expected


@pytest.mark.parametrize(
    ("modify", "expected"),
    [
        ({"path": {}}, [("path", 'either "rewritePrefix" or "regex" has to be set')]),
        ({"path": {"rewritePrefix": ""}}, [("path.rewritePrefix", EMPTY)]),
        (
            {"path": {"regex": {}}},
            [("path.regex.pattern", EMPTY), ("path.regex.substitution", EMPTY)],
        ),
        ({"host": {}}, [("host", 'either "value" or "fromPath" has to be set')]),
        ({"host": {"value": ""}}, [("host.value", EMPTY)]),
        ({"host": {"value": "a"}}, []),
        (
            {"host": {"fromPath": {"pattern": "a"}}},
            [("host.fromPath.substitution", EMPTY)],
        ),
        (
            {"requestHeaders": {"add": [{}], "remove": [{"name": ":path"}]}},
            [
                ("requestHeaders.add[0].name", EMPTY),
                ("requestHeaders.add[0].value", EMPTY),
                (
                    "requestHeaders.remove[0].name",
                    "host header and HTTP/2 pseudo-headers are not allowed to be modified",
                ),
            ],
        ),
        (
            {"responseHeaders": {"remove": [{"name": "Host"}, {"name": "HOST"}]}},
            [
                (
                    "responseHeaders.remove[0].name",
                    "host header and HTTP/2 pseudo-headers are not allowed to be modified",
                )
            ],
        ),
    ],
)
def test_a_modification(modify: object, expected: Found) -> None:
    assert http(modify=modify) == [(f"modify.{field}", reason) for field, reason in expected]


def test_a_prefix_is_rewritten_only_where_one_was_matched() -> None:
    modify = {"path": {"rewritePrefix": "/x"}}
    assert http(modify=modify, match={"path": {"exact": "/"}}) == [
        (
            "modify.path.rewritePrefix",
            "can only be set when .http.match.path.prefix is not empty",
        )
    ]


def test_each_http_route_goes_somewhere() -> None:
    assert http(destination=None) == []
    policy = connection({"destination": SERVICE, "http": [{"match": {"path": {"prefix": "/"}}}]})
    assert found("TrafficRoute", policy) == [
        ("conf.http[0]", 'requires either "destination" or "split"')
    ]
