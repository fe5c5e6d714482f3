"""MeshTLS, MeshRateLimit, MeshFaultInjection: what comes in, and what at gateways."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.kinds import mesh_fault_injection, mesh_rate_limit, mesh_tls
from support.specs.policy_specs import told, warned

TLS, LIMIT, FAULT = mesh_tls.KIND, mesh_rate_limit.KIND, mesh_fault_injection.KIND

NO_CLIENTS = (
    "must not be defined when the scope includes a Gateway, select only proxyType Sidecar or "
    "select only gateways and use spec.to"
)


@pytest.mark.parametrize(
    ("top", "gateways"),
    [
        ("{kind: Mesh}", True),
        ("{kind: Mesh, proxyTypes: [Sidecar]}", False),
        ("{kind: Mesh, proxyTypes: [Gateway]}", True),
        ("{kind: MeshSubset, tags: {a: b}}", True),
        ("{kind: MeshSubset, proxyTypes: [Sidecar], tags: {a: b}}", False),
        ("{kind: MeshGateway, name: g}", True),
        ("{kind: MeshService, name: s}", False),
        ("{kind: Dataplane}", False),
    ],
)
def test_gateways_have_no_clients_and_proxies_no_routes(top: str, gateways: bool) -> None:
    entry = "[{targetRef: {kind: Mesh}, default: {http: []}}]"
    from_told = told(FAULT, f"{{targetRef: {top}, from: {entry}}}")
    to_told = told(FAULT, f"{{targetRef: {top}, to: {entry}}}")

    assert from_told == ({("spec.from", NO_CLIENTS)} if gateways else set())
    assert to_told == (set() if gateways else {("spec.to", "must not be defined")})


def test_each_fault_is_reported_by_its_name_and_path() -> None:
    found = told(
        FAULT,
        """
        targetRef: {kind: MeshService, name: s}
        from:
        - targetRef: {kind: MeshSubset, tags: {a: b}}
          default:
            http:
            - abort: {httpStatus: 99, percentage: x}
            - delay: {value: 0s, percentage: "100.1"}
            - responseBandwidth: {limit: "", percentage: 0}
            - responseBandwidth: {limit: 5 Mbps, percentage: 100}
        """,
    )

    prefix = "spec.from[0].default.http"
    assert found == {
        (f"{prefix}.abort[0].httpStatus", "must be in inclusive range [100, 599]"),
        (f"{prefix}.abort[0].percentage", "string must be a valid number"),
        (f"{prefix}.delay[1].percentage", "must be in inclusive range [0.0, 100.0]"),
        (f"{prefix}.responseBandwidth[2].responseBandwidth", "must be defined"),
    }


def limit_told(conf: str) -> set[tuple[str, str]]:
    spec = f"{{targetRef: {{kind: Dataplane}}, rules: [{{default: {conf}}}]}}"
    return {
        (field.removeprefix("spec.rules[0].default."), text) for field, text in told(LIMIT, spec)
    }


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{}", {("local", "must be defined")}),
        ("{local: {}}", {("local", "must have at least one defined: tcp, http")}),
        (
            "{local: {tcp: {}}}",
            {("local.tcp", "must have at least one defined: disabled, connectionRate")},
        ),
        (
            "{local: {tcp: {connectionRate: {num: 0, interval: 50ms}}}}",
            {
                ("local.tcp.connectionRate.num", "must be greater than 0"),
                ("local.tcp.connectionRate.interval", "must be greater than: 50ms"),
            },
        ),
        ("{local: {http: {requestRate: {num: 1, interval: 51ms}}}}", set()),
        (
            "{local: {http: {onRateLimit: {status: 0}}}}",
            {("local.http.onRateLimit.status", "must be greater than 0")},
        ),
    ],
)
def test_rate_limits(conf: str, expected: set[tuple[str, str]]) -> None:
    assert limit_told(conf) == expected


def test_tls_of_one_proxy_is_only_a_matter_of_its_mode() -> None:
    conf = "{mode: Strict, tlsVersion: {min: TLS12}, tlsCiphers: [ECDHE-RSA-AES128-GCM-SHA256]}"
    only = "can only be defined with top level targetRef kind: Mesh"

    assert told(TLS, f"{{rules: [{{default: {conf}}}]}}") == set()
    assert told(TLS, f"{{targetRef: {{kind: Dataplane}}, rules: [{{default: {conf}}}]}}") == {
        ("spec.rules[0].default.tlsCiphers", f"tlsCiphers {only}"),
        ("spec.rules[0].default.tlsVersion", f"tlsVersion {only}"),
    }


def test_the_lowest_tls_version_is_not_above_the_highest() -> None:
    turned = "{rules: [{default: {tlsVersion: {min: TLS13, max: TLS12}}}]}"
    same = "{rules: [{default: {tlsVersion: {min: TLS12, max: TLS12}}}]}"

    lower = "min version must be lower than max"
    assert told(TLS, turned) == {("spec.rules[0].default.tlsVersion.min", lower)}
    assert told(TLS, same) == set()


def test_tls_takes_rules_or_clients() -> None:
    both = "{rules: [{default: {mode: Strict}}], from: [{targetRef: {kind: Mesh}}]}"

    assert told(TLS, both) == {("spec", "field 'from' must be empty when 'rules' is defined")}
    assert warned(TLS, both) == ["'from' field is deprecated, use 'rules' instead"]


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ("{kind: Mesh, proxyTypes: [Sidecar]}", set()),
        ("{kind: Dataplane}", set()),
        ("{kind: Mesh}", {("spec.rules", "must not be defined")}),
        ("{kind: MeshHTTPRoute, name: r}", {("spec.rules", "must not be defined")}),
    ],
)
def test_limits_of_inbounds_are_not_for_gateways(top: str, expected: set[tuple[str, str]]) -> None:
    rules = "[{default: {local: {http: {disabled: true}}}}]"
    assert told(LIMIT, f"{{targetRef: {top}, rules: {rules}}}") == expected


def test_a_policy_of_limits_may_have_nothing_to_say() -> None:
    assert told(LIMIT, "{targetRef: {kind: Mesh}}") == set()
