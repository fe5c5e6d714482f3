"""MeshService, MeshExternalService, MeshMultiZoneService, HostnameGenerator: each of their rules."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.services import (
    hostname_generator,
    mesh_external_service,
    mesh_multi_zone_service,
    mesh_service,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from support.specs.policy_specs import rendered, told

SERVICE, EXTERNAL = mesh_service.KIND, mesh_external_service.KIND
MULTI, GENERATOR = mesh_multi_zone_service.KIND, hostname_generator.KIND


def test_a_service_is_stored_with_the_defaults_of_its_schema() -> None:
    spec = "{selector: {dataplaneTags: {app: redis}}, ports: [{port: 6379, targetPort: 6379}]}"

    assert rendered(SERVICE, spec) == {
        "state": "Unavailable",
        "selector": {"dataplaneTags": {"app": "redis"}},
        "ports": [{"port": 6379, "targetPort": 6379, "appProtocol": "tcp"}],
    }


def status_of(kind: PluginKind[Any], status: dict[str, object]) -> object:
    assert kind.parse_status is not None
    assert kind.render_status is not None
    body = {"type": kind.type, "name": "n", "spec": {}, "status": status}
    return kind.render_status(kind.parse_status(body))


def test_a_status_shows_its_parts_even_when_they_are_empty() -> None:
    status: dict[str, object] = {"vips": [{"ip": "10.0.0.1"}]}

    assert status_of(SERVICE, status) == {**status, "tls": {}, "dataplaneProxies": {}}
    assert status_of(MULTI, {}) == {}
    assert status_of(EXTERNAL, {}) == {"vip": {}}


LONG, SHORT = "a" * 64, "a" * 63


@pytest.mark.parametrize(
    ("kind", "name", "display_name", "is_refused"),
    [
        (SERVICE, SHORT, SHORT, False),
        (SERVICE, LONG, SHORT, False),
        (SERVICE, SHORT, LONG, True),
        (EXTERNAL, SHORT, LONG, False),
        (EXTERNAL, LONG, SHORT, True),
        (MULTI, LONG, LONG, False),
    ],
)
def test_what_becomes_a_part_of_host_names_has_63_characters(
    kind: PluginKind[Any], name: str, display_name: str, *, is_refused: bool
) -> None:
    told = [("name", "must not be longer than 63 characters")] * is_refused
    found = kind.validate_name(name, display_name)
    assert [(v.field, v.message) for v in found] == told


def test_the_port_of_the_proxies_is_always_shown() -> None:
    spec = "{ports: [{port: 80}, {port: 81, targetPort: null}, {port: 82, targetPort: http}]}"
    shown: Any = rendered(SERVICE, spec)

    assert [each["targetPort"] for each in shown["ports"]] == [0, 0, "http"]


def test_a_selector_without_tags_or_labels_is_written_without_them() -> None:
    service: Any = rendered(SERVICE, "{selector: {dataplaneTags: {}}}")
    assert service["selector"] == {}
    generator: Any = rendered(GENERATOR, "{selector: {meshService: {matchLabels: {}}}}")
    assert generator["selector"] == {"meshService": {}}


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("endpoints: [{address: a.com, port: 1}]", set()),
        (
            "endpoints: [{address: 'a b', port: 1}]",
            {("endpoints[0].address", "address has to be a valid IP or hostname")},
        ),
        (
            "tls: {verification: {clientKey: {secret: s}}}",
            {("tls.verification.clientCert", "must be defined when clientKey is defined")},
        ),
        (
            "tls: {verification: {serverName: 'a b'}}",
            {("tls.verification.serverName", "must be a valid DNS name")},
        ),
        ("extension: {type: Lambda}, endpoints: [{address: 'a b', port: 1}]", set()),
        ("extension: {type: ''}", {("extension.type", "must not be empty")}),
    ],
)
def test_external_services(rest: str, expected: set[tuple[str, str]]) -> None:
    found = told(EXTERNAL, f"{{match: {{port: 80}}, {rest}}}")

    assert {(field.removeprefix("spec."), text) for field, text in found} == expected


def test_the_port_of_an_endpoint_is_checked_where_the_address_is_one() -> None:
    endpoints = tuple(
        mesh_external_service.Endpoint(address=address, port=0) for address in ("a.com", "a b")
    )
    match = mesh_external_service.Match(port=80)
    spec = mesh_external_service.MeshExternalService(match=match, endpoints=endpoints)

    assert [violation.field for violation in EXTERNAL.validate(spec)] == [
        "spec.endpoints[0].port",
        "spec.endpoints[1].address",
    ]


def test_an_external_service_is_stored_with_the_defaults_of_its_schema() -> None:
    assert rendered(EXTERNAL, "{match: {port: 80}, tls: {verification: {}, version: {}}}") == {
        "match": {"type": "HostnameGenerator", "port": 80, "protocol": "tcp"},
        "tls": {
            "enabled": False,
            "version": {"min": "TLSAuto", "max": "TLSAuto"},
            "allowRenegotiation": False,
            "verification": {"mode": "Secured"},
        },
    }


def test_services_of_several_zones_are_found_by_labels() -> None:
    spec = "{selector: {meshService: {matchLabels: {}}}, ports: [{port: 1}]}"

    assert told(MULTI, spec) == {("spec.selector.meshService.matchLabels", "cannot be empty")}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            "{}",
            {
                (
                    "spec.selector",
                    "exact one selector (meshService, meshExternalService) must be defined",
                ),
                ("spec.template", "must not be empty"),
            },
        ),
        ("{selector: {meshMultiZoneService: {}}, template: '{{ .DisplayName }}.mesh'}", set()),
        (
            "{selector: {meshService: {}}, template: '{{ nope }}'}",
            {
                (
                    "spec.template",
                    'couldn\'t parse template: template: :1: function "nope" not defined',
                )
            },
        ),
    ],
)
def test_generators_of_host_names(spec: str, expected: set[tuple[str, str]]) -> None:
    assert told(GENERATOR, spec) == expected
