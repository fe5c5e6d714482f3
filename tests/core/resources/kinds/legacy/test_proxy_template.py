"""ProxyTemplate: changes of Envoy's configuration by hand."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.kinds import ANY_SERVICE, Found, found, found_at, shown

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
NATIVE = "native Envoy resource is not valid: "
BROKEN = NATIVE + "unexpected EOF"
FEW = 'invalid operation. Available operations: "add", "patch", "remove"'
MANY = (
    'invalid operation. Available operations: "addFirst", "addLast", "addBefore", "addAfter", '
    '"patch", "remove"'
)


def template(**conf: Any) -> dict[str, Any]:
    return {"selectors": ANY_SERVICE, "conf": conf}


def test_a_template_with_everything_is_valid_and_shown_as_it_was() -> None:
    matches: dict[str, dict[str, Any]] = {
        "cluster": {"origin": "inbound", "name": "a"},
        "listener": {"origin": "inbound", "name": "a", "tags": {"b": "c"}},
        "networkFilter": {"name": "a", "listenerName": "l", "listenerTags": {"b": "c"}},
        "httpFilter": {"name": "a", "listenerName": "l", "listenerTags": {"b": "c"}},
        "virtualHost": {"name": "a", "routeConfigurationName": "r"},
    }
    body = template(
        imports=["default-proxy"],
        resources=[{"name": "a", "version": "v1", "resource": f"'@type': {CLUSTER}\nname: b\n"}],
        modifications=[
            {name: {"match": match, "operation": "patch", "value": "name: x"}}
            for name, match in matches.items()
        ],
    )
    assert found("ProxyTemplate", body) == []
    assert shown("ProxyTemplate", body) == body


def test_a_template_may_say_nothing() -> None:
    assert found("ProxyTemplate", {}) == []
    assert found("ProxyTemplate", template(modifications=[{}])) == []


def test_a_selector_names_a_service() -> None:
    assert found("ProxyTemplate", {"selectors": [{}]}) == [
        ("selectors[0].match", "must have at least one tag"),
        ("selectors[0].match", 'mandatory tag "kuma.io/service" is missing'),
    ]


def test_an_import_names_a_profile() -> None:
    known = "default-proxy,egress-proxy,gateway-proxy,ingress-proxy"
    unknown = f"profile not found. Available profiles: {known}"
    assert found("ProxyTemplate", template(imports=["", "x", *known.split(",")])) == [
        ("conf.imports[0]", "cannot be empty"),
        ("conf.imports[1]", unknown),
    ]


def test_a_resource_has_a_name_a_version_and_a_text() -> None:
    assert found_at("ProxyTemplate", template(resources=[{}]), "conf.resources[0].") == [
        ("name", "cannot be empty"),
        ("version", "cannot be empty"),
        ("resource", "cannot be empty"),
    ]


def test_the_text_of_a_resource_is_an_object() -> None:
    resource = {"name": "a", "version": "v1", "resource": "text"}
    kind = "json: cannot unmarshal string into Go value of type map[string]json.RawMessage"
    assert found("ProxyTemplate", template(resources=[resource])) == [
        ("conf.resources[0].resource", NATIVE + kind)
    ]


def test_the_text_of_a_resource_names_its_type() -> None:
    resource = {"name": "a", "version": "v1", "resource": "name: b"}
    assert found("ProxyTemplate", template(resources=[resource])) == [
        ("conf.resources[0].resource", NATIVE + "Any JSON doesn't have '@type'")
    ]


@pytest.mark.parametrize(
    ("name", "type_name", "operation"),
    [
        ("cluster", "Cluster", "add"),
        ("virtualHost", "VirtualHost", "add"),
        ("networkFilter", "Filter", "addFirst"),
        ("httpFilter", "HttpFilter", "addLast"),
    ],
)
@pytest.mark.parametrize("value", ["", "a: b"])
def test_what_is_added_has_a_name(name: str, type_name: str, operation: str, value: str) -> None:
    body = template(modifications=[{name: {"operation": operation, "value": value}}])
    reason = f"{NATIVE}invalid {type_name}.Name: value length must be at least 1 runes"
    assert found_at("ProxyTemplate", body, f"conf.modifications[0].{name}.") == [("value", reason)]


@pytest.mark.parametrize("name", ["cluster", "listener"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"operation": "addFirst"}, [("operation", FEW)]),
        ({"operation": "add", "value": "{"}, [("value", BROKEN)]),
        ({"operation": "patch", "value": "{"}, [("value", BROKEN)]),
        (
            {"operation": "add", "match": {}, "value": "name: a"},
            [("match", "cannot be defined")],
        ),
        ({"operation": "remove", "match": {"name": "a"}}, []),
    ],
)
def test_what_stands_alone_is_added_patched_or_removed(
    name: str, change: dict[str, Any], expected: Found
) -> None:
    body = template(modifications=[{name: change}])
    assert found_at("ProxyTemplate", body, f"conf.modifications[0].{name}.") == expected


PICK = "cannot be empty. You need to pick a filter {} which this one will be added"


@pytest.mark.parametrize("name", ["networkFilter", "httpFilter"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"operation": "add"}, [("operation", MANY)]),
        ({"operation": "addFirst", "value": "{"}, [("value", BROKEN)]),
        ({"operation": "addLast", "value": "name: a"}, []),
        (
            {"operation": "addBefore", "value": "name: a"},
            [("match.name", PICK.format("before"))],
        ),
        (
            {"operation": "addAfter", "match": {}, "value": "name: a"},
            [("match.name", PICK.format("after"))],
        ),
        ({"operation": "patch", "value": "name: a"}, [("match.name", "cannot be empty")]),
        ({"operation": "addAfter", "match": {"name": "b"}, "value": "name: a"}, []),
        ({"operation": "remove"}, []),
    ],
)
def test_a_filter_has_a_place_in_a_chain(
    name: str, change: dict[str, Any], expected: Found
) -> None:
    body = template(modifications=[{name: change}])
    assert found_at("ProxyTemplate", body, f"conf.modifications[0].{name}.") == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"operation": "addFirst"}, [("operation", FEW)]),
        (
            {"operation": "add", "match": {"name": "a"}, "value": "{"},
            [("match.name", "cannot be defined"), ("value", BROKEN)],
        ),
        ({"operation": "add", "match": {"origin": "a"}, "value": "{name: a, domains: [b]}"}, []),
        ({"operation": "patch", "value": "name: a"}, []),
    ],
)
def test_a_virtual_host(change: dict[str, Any], expected: Found) -> None:
    body = template(modifications=[{"virtualHost": change}])
    assert found_at("ProxyTemplate", body, "conf.modifications[0].virtualHost.") == expected
