"""Dataplane: its fields, and what they may hold."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound
from kong_mesh_cp.core.resources.kinds.dataplane_rules import INBOUNDS_MAX, OUTBOUNDS_MAX
from kong_mesh_cp.core.schema.messages import read_message
from support.specs.kinds import SERVICE, Found, found, shown

INBOUND: dict[str, Any] = {"port": 80, "tags": SERVICE}
PORT = "port must be in the range [1, 65535]"
KINDS = "invalid value. Available values are: MeshExternalService,MeshMultiZoneService,MeshService"

FULL: dict[str, Any] = {
    "networking": {
        "address": "192.168.0.1",
        "advertisedAddress": "10.0.0.9",
        "inbound": [
            {
                "tags": SERVICE,
                "port": 18080,
                "servicePort": 8080,
                "address": "192.168.0.1",
                "serviceAddress": "127.0.0.1",
                "health": {"ready": True},
                "serviceProbe": {
                    "interval": "10s",
                    "timeout": "2s",
                    "unhealthyThreshold": 1,
                    "healthyThreshold": 1,
                    "tcp": {},
                },
                "state": "Ignored",
                "name": "main",
            }
        ],
        "outbound": [
            {"address": "127.0.0.1", "port": 10001, "tags": {"kuma.io/service": "redis"}},
            {"port": 10002, "backendRef": {"kind": "MeshService", "name": "a", "port": 80}},
        ],
        "transparentProxying": {
            "redirectPortInbound": 15006,
            "redirectPortOutbound": 15001,
            "directAccessServices": ["*"],
            "reachableServices": ["redis"],
            "ipFamilyMode": "IPv4",
            "reachableBackends": {"refs": [{"kind": "MeshService", "name": "a", "port": 1}]},
        },
        "admin": {"port": 9901},
    },
    "metrics": {"type": "prometheus", "conf": {"port": 1234}},
    "probes": {
        "port": 9000,
        "endpoints": [{"inboundPort": 8080, "inboundPath": "/healthz", "path": "/8080/healthz"}],
    },
}


def with_networking(**networking: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"address": "192.168.0.1", "inbound": [INBOUND]}
    return {"networking": base | networking}


def in_networking(**networking: Any) -> Found:
    prefix = "networking."
    return [
        (field.removeprefix(prefix), message)
        for field, message in found("Dataplane", with_networking(**networking))
    ]


def test_a_dataplane_with_everything_is_valid_and_shown_as_it_was() -> None:
    assert found("Dataplane", FULL) == []
    assert shown("Dataplane", {"type": "Dataplane", "name": "a", **FULL}) == FULL


def test_original_names_and_numbers_of_enums_are_read() -> None:
    document = {
        "networking": {
            "transparent_proxying": {"redirect_port_inbound": "15006", "ip_family_mode": 2},
            "gateway": {"type": 1},
            "unknown": {"a": 1},
        }
    }
    assert shown("Dataplane", document) == {
        "networking": {
            "gateway": {"type": "BUILTIN"},
            "transparentProxying": {"redirectPortInbound": 15006, "ipFamilyMode": "IPv4"},
        }
    }


def test_what_a_dataplane_of_this_version_does_not_have_is_dropped() -> None:
    document = {**FULL, "envoy": {"xdsTransportProtocolVariant": "DELTA_GRPC"}}
    assert shown("Dataplane", document) == FULL


def test_networking_is_there() -> None:
    assert found("Dataplane", {}) == [("networking", "must be defined")]


def test_an_empty_networking_lacks_an_inbound_and_an_address() -> None:
    assert found("Dataplane", {"networking": {}}) == [
        ("networking", "has to contain at least one inbound interface or gateway"),
        ("networking.address", "address can't be empty"),
    ]


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_the_address_is_no_wildcard(address: str) -> None:
    assert in_networking(address=address) == [("address", "must not be 0.0.0.0 or ::")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"port": 0}, [("port", PORT)]),
        ({"port": 65536}, [("port", PORT)]),
        ({"servicePort": 65536}, [("servicePort", PORT)]),
        (
            {"serviceAddress": "a"},
            [("serviceAddress", "serviceAddress has to be valid IP address")],
        ),
        ({"address": "a"}, [("address", "address has to be valid IP address")]),
        ({"serviceAddress": "192.168.0.1", "servicePort": 81}, []),
        (
            {"serviceAddress": "192.168.0.1", "servicePort": 80},
            [
                (
                    "serviceAddress",
                    "serviceAddress and servicePort has to differ from address and port",
                )
            ],
        ),
        (
            {"address": "10.0.0.1", "serviceAddress": "10.0.0.1"},
            [
                (
                    "serviceAddress",
                    "serviceAddress and servicePort has to differ from address and port",
                )
            ],
        ),
        ({"tags": {}}, [('tags["kuma.io/service"]', "tag has to exist")]),
        (
            {"tags": SERVICE | {"kuma.io/protocol": "udp"}},
            [
                (
                    'tags["kuma.io/protocol"]',
                    (
                        'tag "kuma.io/protocol" has an invalid value "udp". '
                        "Allowed values: grpc, http, http2, kafka, tcp"
                    ),
                )
            ],
        ),
        (
            {"serviceProbe": {"interval": "0s", "timeout": "0s", "unhealthyThreshold": 0}},
            [
                ("serviceProbe.interval", "must have a positive value"),
                ("serviceProbe.timeout", "must have a positive value"),
                ("serviceProbe.unhealthyThreshold", "must have a positive value"),
            ],
        ),
        (
            {"serviceProbe": {"healthyThreshold": 0}},
            [("serviceProbe.healthyThreshold", "must have a positive value")],
        ),
        ({"serviceProbe": {}}, []),
    ],
)
def test_an_inbound(change: dict[str, Any], expected: Found) -> None:
    prefixed = [(f"inbound[0].{field}", reason) for field, reason in expected]
    assert in_networking(inbound=[INBOUND | change]) == prefixed


@pytest.mark.parametrize(
    ("outbound", "expected"),
    [
        ({"port": 1, "tags": SERVICE}, []),
        ({"tags": SERVICE}, [("port", PORT)]),
        (
            {"port": 1, "address": "a", "tags": SERVICE},
            [("address", "address has to be valid IP address")],
        ),
        ({"port": 1}, [("tags", 'mandatory tag "kuma.io/service" is missing')]),
        (
            {"port": 1, "backendRef": {}},
            [
                ("backendRef.kind", KINDS),
                ("backendRef", "either 'name' or 'labels' should be specified"),
                ("backendRef.port", PORT),
            ],
        ),
        ({"port": 1, "backendRef": {"kind": "MeshExternalService", "name": "a"}}, []),
        (
            {"port": 1, "backendRef": {"kind": "MeshService", "labels": {"a": "b"}, "port": 80}},
            [],
        ),
        (
            {
                "port": 1,
                "tags": {"a": "b"},
                "backendRef": {"kind": "MeshExternalService", "name": "a"},
            },
            [("backendRef", "both backendRef and tags/service cannot be defined")],
        ),
    ],
)
def test_an_outbound(outbound: dict[str, Any], expected: Found) -> None:
    prefixed = [(f"outbound[0].{field}", reason) for field, reason in expected]
    assert in_networking(outbound=[outbound]) == prefixed


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        (
            {"inbound": [INBOUND | {"port": 9901, "address": "127.0.0.1"}]},
            ["must differ from inbound"],
        ),
        ({"inbound": [INBOUND | {"port": 9901, "address": "::"}]}, ["must differ from inbound"]),
        ({"inbound": [INBOUND | {"port": 9901}]}, []),
        (
            {"inbound": [INBOUND | {"servicePort": 9901, "serviceAddress": "127.0.0.1"}]},
            ["must differ from inbound"],
        ),
        ({"outbound": [{"port": 9901, "tags": SERVICE}]}, ["must differ from outbound"]),
        ({"outbound": [{"port": 9901, "address": "10.0.0.1", "tags": SERVICE}]}, []),
    ],
)
def test_the_admin_port_is_alone_on_loopback(
    listeners: dict[str, Any], expected: list[str]
) -> None:
    violations = in_networking(admin={"port": 9901}, **listeners)
    assert violations == [("admin.port", reason) for reason in expected]


def gateway(kind: str, **more: Any) -> Found:
    tags = more.pop("tags", SERVICE)
    return in_networking(**({"inbound": [], "gateway": {"type": kind, "tags": tags}} | more))


@pytest.mark.parametrize("kind", ["DELEGATED", "BUILTIN"])
def test_a_gateway_has_tags_and_no_inbound(kind: str) -> None:
    assert gateway(kind) == []
    assert gateway(kind, inbound=[INBOUND]) == [
        ("inbound", f"inbound cannot be defined for {kind.lower()} gateways")
    ]
    assert gateway(kind, tags={"a": "b"}) == [
        ("gateway.tags", 'mandatory tag "kuma.io/service" is missing')
    ]
    assert gateway(kind, tags=SERVICE | {"kuma.io/protocol": "http"}) == [
        (
            'gateway.tags["kuma.io/protocol"]',
            'other values than tcp are not allowed, provided value "http"',
        )
    ]
    assert gateway(kind, tags=SERVICE | {"kuma.io/protocol": "tcp"}) == []


def test_only_a_delegated_gateway_calls_others() -> None:
    outbound = [{"port": 1, "tags": SERVICE}]
    assert gateway("DELEGATED", outbound=outbound) == []
    assert gateway("BUILTIN", outbound=outbound) == [
        ("outbound", "outbound cannot be defined for builtin gateways")
    ]


def test_a_builtin_gateway_has_no_probes() -> None:
    body = {
        "networking": {"address": "10.0.0.1", "gateway": {"type": "BUILTIN", "tags": SERVICE}},
        "probes": {"port": 1},
    }
    assert found("Dataplane", body) == [
        ("networking.probes", "probes cannot be defined for builtin gateways")
    ]


def test_probes_are_paths_on_ports() -> None:
    endpoint = {"inboundPort": 0, "inboundPath": "healthz", "path": ""}
    body = with_networking() | {"probes": {"endpoints": [endpoint]}}
    assert found("Dataplane", body) == [
        ("probes.port", PORT),
        ("probes.endpoints[0].inboundPort", PORT),
        ("probes.endpoints[0].inboundPath", "should be a valid URL Path"),
        ("probes.endpoints[0].path", "should be a valid URL Path"),
    ]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ({"kind": "MeshService", "name": "a"}, []),
        ({"kind": "MeshService", "labels": {"a": "b"}}, []),
        ({"kind": "X", "name": "a"}, [("kind", KINDS)]),
        ({"kind": "MeshService"}, [("name", "name or labels are required")]),
        (
            {"kind": "MeshService", "namespace": "n"},
            [("name", "name is required, when namespace is defined")],
        ),
        (
            {"kind": "MeshService", "name": "a", "labels": {"a": "b"}},
            [("labels", "labels cannot be defined when name is specified")],
        ),
    ],
)
def test_a_reachable_backend(ref: dict[str, Any], expected: Found) -> None:
    violations = in_networking(transparentProxying={"reachableBackends": {"refs": [ref]}})
    at = "transparentProxing.reachableBackends.refs[0]."
    assert violations == [(at + field, reason) for field, reason in expected]


def test_metrics_are_those_of_prometheus() -> None:
    unknown = 'unknown backend type. Available backends: "prometheus"'
    body = with_networking() | {"metrics": {"type": "x"}}
    assert found("Dataplane", body) == [("metrics.type", unknown)]


def read(document: object) -> Dataplane:
    return read_message(Dataplane, document)


@pytest.mark.parametrize(
    ("networking", "proxy_type"),
    [
        (None, "sidecar"),
        ({"inbound": [{"tags": SERVICE}]}, "sidecar"),
        ({"inbound": [{"tags": {}}, {"tags": SERVICE}]}, "sidecar"),
        ({"gateway": {"tags": SERVICE}}, "sidecar"),
        ({"gateway": {"type": "BUILTIN", "tags": SERVICE}}, "gateway"),
        ({"gateway": {"type": 7}}, "sidecar"),
    ],
)
def test_a_dataplane_knows_its_type(networking: object, proxy_type: str) -> None:
    assert read({"networking": networking}).proxy_type == proxy_type


def test_the_two_kinds_of_gateways_are_distinguished() -> None:
    delegated = read({"networking": {"gateway": {}}})
    assert delegated.is_delegated_gateway
    assert not delegated.is_builtin_gateway
    assert not read({}).is_delegated_gateway


@pytest.mark.parametrize(
    ("inbound", "ready"),
    [
        ({}, True),
        ({"health": {"ready": True}}, True),
        ({"health": {}}, False),
        ({"state": "NotReady"}, False),
        ({"state": "Ignored"}, True),
    ],
)
def test_an_inbound_is_ready_unless_its_state_says_otherwise(inbound: object, ready: bool) -> None:
    assert read_message(Inbound, inbound).is_ready is ready


@pytest.mark.parametrize("extra", [0, 1])
def test_it_has_a_bounded_number_of_inbounds_and_outbounds(extra: int) -> None:
    inbounds = [INBOUND] * (INBOUNDS_MAX + extra)
    outbounds = [{"port": 1, "tags": SERVICE}] * (OUTBOUNDS_MAX + extra)
    shape = {"address": "192.168.0.1", "inbound": inbounds, "outbound": outbounds}

    assert found("Dataplane", {"networking": shape}) == [
        (f"networking.{name}", f"must not have more than {most} entries")
        for name, most in (("inbound", INBOUNDS_MAX), ("outbound", OUTBOUNDS_MAX))
        if extra
    ]
