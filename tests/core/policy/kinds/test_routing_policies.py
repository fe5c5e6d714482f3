"""MeshHTTPRoute, MeshTCPRoute, MeshLoadBalancingStrategy, MeshPassthrough: where traffic goes."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.policy.kinds import (
    mesh_health_check,
    mesh_http_route,
    mesh_load_balancing_strategy,
    mesh_passthrough,
    mesh_tcp_route,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from support.specs.policy_specs import conf_told, rendered, told

HTTP, TCP = mesh_http_route.KIND, mesh_tcp_route.KIND
BALANCE, PASS = mesh_load_balancing_strategy.KIND, mesh_passthrough.KIND

Told = set[tuple[str, str]]


def rule_told(rule: str, *, top: str = "{kind: Mesh}") -> Told:
    """What is wrong with one rule of an HTTP route to a service, or at a gateway."""
    to = "{kind: Mesh}" if "MeshGateway" in top else "{kind: MeshService, name: s}"
    found = told(HTTP, f"{{targetRef: {top}, to: [{{targetRef: {to}, rules: [{rule}]}}]}}")
    return {(field.removeprefix("spec.to[0].rules[0]."), text) for field, text in found}


ANY = "matches: [{path: {type: PathPrefix, value: /}}]"
EXACT = "matches: [{path: {type: Exact, value: /a}}]"
GATEWAY = "{kind: MeshGateway, name: g}"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{type: PathPrefix, value: /}", None),
        ("{type: PathPrefix, value: /a}", None),
        (
            "{type: PathPrefix, value: /a/}",
            (
                "does not need a trailing slash because only a `/`-separated prefix or an entire path "
                "is matched"
            ),
        ),
        ("{type: Exact, value: /a/}", None),
        ("{type: Exact, value: a}", "must be an absolute path"),
        ("{type: RegularExpression, value: a/}", None),
    ],
)
def test_paths_that_a_rule_matches(path: str, message: str | None) -> None:
    expected = set() if message is None else {("matches[0].path.value", message)}

    assert rule_told(f"{{matches: [{{path: {path}}}], default: {{}}}}") == expected


def test_a_header_that_is_there_or_not_has_no_value() -> None:
    rule = "{matches: [{headers: [{name: a, type: Absent, value: b}, {name: a}]}], default: {}}"

    assert rule_told(rule) == {("matches[0].headers[0].value", "must not be defined")}


PREFIX_ONLY = "can only appear if all matches match a path prefix"


@pytest.mark.parametrize(
    ("matches", "each", "expected"),
    [
        (
            ANY,
            (
                "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, "
                "replacePrefixMatch: /b}}}"
            ),
            set(),
        ),
        (
            EXACT,
            (
                "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, "
                "replacePrefixMatch: /b}}}"
            ),
            {("urlRewrite.path.replacePrefixMatch", PREFIX_ONLY)},
        ),
        (
            EXACT,
            (
                "{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, "
                "replacePrefixMatch: /b}}}"
            ),
            {("requestRedirect.path.replacePrefixMatch", PREFIX_ONLY)},
        ),
        (
            ANY,
            "{type: URLRewrite, urlRewrite: {hostToBackendHostname: true, hostname: a.b}}",
            {
                ("urlRewrite.hostToBackendHostname", "can only be set with MeshGateway"),
                ("urlRewrite.hostToBackendHostname", "cannot be set together with hostname"),
            },
        ),
        (
            ANY,
            "{type: URLRewrite, urlRewrite: {hostname: 10.0.0.01}}",
            {("urlRewrite.hostname", "cannot be an IP address")},
        ),
        (
            ANY,
            "{type: RequestHeaderModifier, requestHeaderModifier: {}}",
            {("requestHeaderModifier", "must have at least one defined: set, add, remove")},
        ),
        (
            ANY,
            (
                "{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: a, value: b}], "
                "remove: [b, a]}}"
            ),
            {("requestHeaderModifier.remove[1].name", "duplicate header name")},
        ),
        (
            ANY,
            "{type: RequestMirror, requestMirror: {percentage: 101, backendRef: {kind: Mesh}}}",
            {
                ("requestMirror.backendRef.kind", "value is not supported"),
            },
        ),
        (ANY, "{type: RequestMirror}", {("requestMirror", "must be defined")}),
    ],
)
def test_filters_of_a_rule(matches: str, each: str, expected: Told) -> None:
    found = rule_told(f"{{{matches}, default: {{filters: [{each}]}}}}")

    assert {(field.removeprefix("default.filters[0]."), text) for field, text in found} == expected


def test_a_rule_of_a_gateway_sends_or_redirects() -> None:
    redirect = "{type: RequestRedirect, requestRedirect: {scheme: https}}"
    needed = {("default.backendRefs", "must not be empty")}

    assert rule_told(f"{{{ANY}, default: {{}}}}", top=GATEWAY) == needed
    assert rule_told(f"{{{ANY}, default: {{filters: [{redirect}]}}}}", top=GATEWAY) == set()
    assert rule_told(f"{{{ANY}, default: {{}}}}") == set()


def test_hostnames_are_for_gateways() -> None:
    to = "to: [{targetRef: {kind: MeshService, name: s}, hostnames: [a.b], rules: []}]"
    at_gateway = (
        "{targetRef: {kind: MeshGateway, name: g}, "
        "to: [{targetRef: {kind: Mesh}, hostnames: [a.b], rules: []}]}"
    )

    assert told(HTTP, f"{{{to}}}") == {("spec.to[0].hostnames", "must not be defined")}
    assert told(HTTP, at_gateway) == set()


def test_backends_are_services_and_one_of_several_zones_needs_its_port() -> None:
    refs = (
        "[{kind: Mesh}, {kind: MeshMultiZoneService, name: m}, "
        "{kind: MeshService, name: kuma.io/unresolved-backend}]"
    )

    assert rule_told(f"{{{ANY}, default: {{backendRefs: {refs}}}}}") == {
        ("default.backendRefs[0].kind", "value is not supported"),
        ("default.backendRefs[1].port", "must be defined with kind MeshMultiZoneService"),
    }


def test_a_backend_without_a_weight_has_one() -> None:
    spec = """
        to:
        - targetRef: {kind: MeshService, name: s}
          rules: [{default: {backendRefs: [{kind: MeshService, name: t}]}}]
    """

    assert rendered(TCP, spec) == {
        "to": [
            {
                "targetRef": {"kind": "MeshService", "name": "s"},
                "rules": [
                    {
                        "default": {
                            "backendRefs": [{"kind": "MeshService", "name": "t", "weight": 1}]
                        }
                    }
                ],
            }
        ]
    }


def test_a_tcp_route_has_backends() -> None:
    to = "[{targetRef: {kind: MeshService, name: s}, rules: [{default: {}}]}]"

    assert told(TCP, f"{{to: {to}}}") == {
        ("spec.to[0].rules[0].default.backendRefs", "must be defined")
    }


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{}", set()),
        ("{loadBalancer: {type: RingHash}}", set()),
        (
            "{loadBalancer: {type: RingHash, ringHash: {hashPolicies: [{type: Header}]}}}",
            {("loadBalancer.ringHash.hashPolicies[0].header", "must be defined")},
        ),
        (
            "{loadBalancer: {type: LeastRequest, leastRequest: {activeRequestBias: x}}}",
            {("loadBalancer.leastRequest.activeRequestBias", "string must be a valid number")},
        ),
        (
            "{localityAwareness: {localZone: {affinityTags: [{key: a, weight: 1}, {key: b}]}}}",
            {
                (
                    "localityAwareness.localZone.affinityTags",
                    "all or none affinity tags should have weight",
                )
            },
        ),
        (
            "{localityAwareness: {crossZone: {failover: [{from: {zones: []}, to: {type: Any}}]}}}",
            {("localityAwareness.crossZone.failover[0].from.zones", "must not be empty")},
        ),
    ],
)
def test_load_balancing(conf: str, expected: Told) -> None:
    assert conf_told(BALANCE, conf) == expected


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ("[{type: Domain, value: '*.a.com', protocol: tls}]", set()),
        ("[{type: IP, value: '::1'}, {type: CIDR, value: 10.0.0.1/8}]", set()),
        (
            "[{type: CIDR, value: 10.0.0.0/33}]",
            {("[0].value", "provided CIDR has incorrect value")},
        ),
        (
            (
                "[{type: Domain, value: a.com, protocol: http, port: 80}, "
                "{type: Domain, value: a.com, protocol: tls, port: 80}]"
            ),
            set(),
        ),
        (
            "[{type: Domain, value: a.com, protocol: http, port: 70000}]",
            {("[0].port", "port must be a valid (1-65535)")},
        ),
    ],
)
def test_what_passes_through(matches: str, expected: Told) -> None:
    found = told(PASS, f"{{default: {{appendMatch: {matches}}}}}")

    assert {
        (field.removeprefix("spec.default.appendMatch"), text) for field, text in found
    } == expected


@pytest.mark.parametrize(
    ("protocols", "refused"),
    [
        (("tls", "http"), [1]),
        (("tcp", "grpc"), [1]),
        (("mysql", "http2"), [1]),
        (("http", "grpc"), [1]),
        (("http", "grpc", "http"), [1]),
        (("http", "tls"), []),
        (("http", "tls", "http"), [2]),
        (("http", "http"), []),
        (("tls", "mysql", "tcp"), []),
    ],
)
def test_requests_are_parsed_on_a_port_of_their_own(
    protocols: tuple[str, ...], refused: list[int]
) -> None:
    matches = ", ".join(
        f"{{type: CIDR, value: 10.0.{index}.0/24, protocol: {protocol}, port: 443}}"
        for index, protocol in enumerate(protocols)
    )
    found = told(PASS, f"{{default: {{appendMatch: [{matches}]}}}}")

    reason = (
        "using the same port in multiple matches requires the same protocol for the following "
        "protocols: [grpc http http2]"
    )
    assert found == {(f"spec.default.appendMatch[{index}].port", reason) for index in refused}


def test_matches_without_a_port_may_have_any_protocols() -> None:
    matches = (
        "[{type: IP, value: 10.0.0.1, protocol: tls}, {type: IP, value: 10.0.0.1, protocol: http}]"
    )
    assert told(PASS, f"{{default: {{appendMatch: {matches}}}}}") == set()


@pytest.mark.parametrize(
    ("ref", "local"),
    [
        ("{kind: MeshService, name: s}", False),
        ("{kind: MeshService, name: s, sectionName: http}", True),
        ("{kind: MeshService, labels: {a: b}}", True),
        ("{kind: MeshMultiZoneService, name: s}", False),
    ],
)
def test_a_real_service_has_no_other_zones_and_the_rest_is_checked_too(
    ref: str, *, local: bool
) -> None:
    zones = "{localityAwareness: {crossZone: {failover: [{to: {type: Only}}]}}}"
    at = "spec.to[0].default.localityAwareness.crossZone"
    expected = {(f"{at}.failover[0].to.zones", "must not be empty when type is Only")}
    if local:
        expected.add((at, "must not be set: MeshService traffic is local"))

    assert told(BALANCE, f"{{to: [{{targetRef: {ref}, default: {zones}}}]}}") == expected


@pytest.mark.parametrize("kind", [BALANCE, mesh_health_check.KIND])
def test_what_lies_outside_is_neither_balanced_nor_probed(kind: PluginKind[Any]) -> None:
    to = "[{targetRef: {kind: MeshExternalService, name: e}, default: {tcp: {}}}]"
    place = "spec.to[0].targetRef.kind"
    unsupported = (place, "value is not supported")

    assert told(kind, f"{{to: {to}}}") == {unsupported}
    narrower = told(kind, f"{{targetRef: {{kind: MeshSubset}}, to: {to}}}")
    assert unsupported in narrower
    assert len(narrower) == 2
