"""Tags, selectors of tags, and the checks that kinds share."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.tags import (
    Selector,
    TagRules,
    address_violations,
    duration_violations,
    port_violations,
    protocol_check,
    selector_violations,
    selectors_violations,
    tag_violations,
    threshold_violations,
)
from kong_mesh_cp.core.schema.violations import Violation, root

TAGS = root("tags")
NAME = "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores"
VALUE = "tag value must consist of alphanumeric characters, dots, dashes and underscores"
SELECTED = (
    "tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores "
    'or be "*"'
)


def test_plain_tags_are_tags() -> None:
    tags = {"kuma.io/service": "backend", "v": "abc.0123-789.under_score:90"}
    assert tag_violations(TAGS, tags) == []
    assert selector_violations(TAGS, {**tags, "any": "*", "path": "a/b"}) == []


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"": "a"}, [("tags", "tag name must be non-empty")]),
        ({"a": ""}, [('tags["a"]', "tag value must be non-empty")]),
        ({"a!": "b"}, [('tags["a!"]', NAME)]),
        ({"a": "b/c"}, [('tags["a"]', VALUE)]),
        ({"a": "*"}, [('tags["a"]', VALUE)]),
        ({"a\n": "b\n"}, [('tags["a\\n"]', NAME), ('tags["a\\n"]', VALUE)]),
    ],
)
def test_a_tag_that_is_wrong_is_reported(
    tags: dict[str, str], found: list[tuple[str, str]]
) -> None:
    violations = tag_violations(TAGS, tags)
    assert [(each.field, each.message) for each in violations] == found


def test_a_selector_takes_the_star_alone() -> None:
    assert selector_violations(TAGS, {"a": "b*"}) == [Violation('tags["a"]', SELECTED)]


def test_violations_come_in_the_order_of_names() -> None:
    found = tag_violations(TAGS, {"b": "", "a": ""})
    assert [each.field for each in found] == ['tags["a"]', 'tags["b"]']


@pytest.mark.parametrize(
    ("rules", "tags", "messages"),
    [
        (TagRules(at_least_one=True), {}, ["must have at least one tag"]),
        (
            TagRules(service_required=True),
            {"a": "b"},
            ['mandatory tag "kuma.io/service" is missing'],
        ),
        (
            TagRules(service_forbidden=True),
            {"kuma.io/service": "a"},
            ['"kuma.io/service" must not be defined'],
        ),
        (
            TagRules(forbidden_names=frozenset({"a"})),
            {"a": "b", "c": "d"},
            ['tag name must not be "a"'],
        ),
        (
            TagRules(only_service=True, service_required=True),
            {"a": "b"},
            [
                'must consist of exactly one tag "kuma.io/service"',
                'tag "a" is not allowed',
                'mandatory tag "kuma.io/service" is missing',
            ],
        ),
        (TagRules(only_service=True), {"kuma.io/service": "*"}, []),
    ],
)
def test_rules_ask_for_more_than_form(
    rules: TagRules, tags: dict[str, str], messages: list[str]
) -> None:
    assert [each.message for each in selector_violations(TAGS, tags, rules)] == messages


def test_a_list_of_selectors_may_have_to_hold_one() -> None:
    none = selectors_violations(root("sources"), [], TagRules())
    assert none == [Violation("sources", "must have at least one element")]
    assert selectors_violations(root("sources"), [], TagRules(), at_least_one=False) == []


def test_a_list_of_selectors_may_have_to_hold_one_only() -> None:
    two = [Selector({"a": "b"}), Selector({"a": ""})]
    found = selectors_violations(root("selectors"), two, TagRules(), at_most_one=True)
    assert found == [
        Violation('selectors[1].match["a"]', "tag value must be non-empty"),
        Violation("selectors[1]", "there can be at most one selector"),
    ]


@pytest.mark.parametrize("name", ["http", "http2", "tcp", "tls", "grpc", "kafka", "mysql"])
def test_the_protocol_of_a_service_is_known_in_letters_of_any_case(name: str) -> None:
    for written in (name, name.upper(), name.title()):
        assert protocol_check(TAGS, {"kuma.io/protocol": written}) == []


def test_a_protocol_that_nobody_knows_is_refused() -> None:
    assert protocol_check(TAGS, {}) == []
    assert protocol_check(TAGS, {"kuma.io/protocol": "udp"}) == [
        Violation(
            'tags["kuma.io/protocol"]',
            'tag "kuma.io/protocol" has an invalid value "udp". '
            "Allowed values: grpc, http, http2, kafka, tcp",
        )
    ]


@pytest.mark.parametrize(("port", "count"), [(0, 1), (1, 0), (65535, 0), (65536, 1)])
def test_a_port_has_16_bits_and_is_not_zero(port: int, count: int) -> None:
    found = port_violations(root("port"), port)
    assert found == [Violation("port", "port must be in the range [1, 65535]")] * count


@pytest.mark.parametrize(
    ("address", "messages"),
    [
        ("192.168.0.1", []),
        ("example.com", []),
        ("", ["address can't be empty"]),
        ("0.0.0.0", ["must not be 0.0.0.0 or ::"]),
        ("::", ["must not be 0.0.0.0 or ::"]),
        ("..>_<..", ["address has to be valid IP address or domain name"]),
    ],
)
def test_an_address_can_be_dialled(address: str, messages: list[str]) -> None:
    found = address_violations(root("networking"), address)
    assert [each.message for each in found] == messages
    assert {each.field for each in found} <= {"networking.address"}


def test_durations_and_thresholds_are_more_than_nothing() -> None:
    positive = [Violation("a", "must have a positive value")]
    assert duration_violations(root("a"), None) == positive
    assert duration_violations(root("a"), 0) == positive
    assert duration_violations(root("a"), 1) == []
    assert threshold_violations(root("a"), 0) == positive
    assert threshold_violations(root("a"), 1) == []
