"""Mesh: its fields, and what they may hold."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.mesh_rules import is_expiration
from kong_mesh_cp.core.schema.messages import read_message
from support.specs.kinds import found, shown

FULL: dict[str, Any] = {
    "mtls": {
        "enabledBackend": "ca-1",
        "backends": [
            {
                "name": "ca-1",
                "type": "builtin",
                "dpCert": {"rotation": {"expiration": "1d"}, "requestTimeout": "10s"},
                "conf": {"caCert": {"RSAbits": 2048, "expiration": "10y"}},
                "mode": "PERMISSIVE",
                "rootChain": {"requestTimeout": "10s"},
            }
        ],
        "skipValidation": True,
    },
    "tracing": {
        "defaultBackend": "z",
        "backends": [
            {"name": "z", "sampling": 80, "type": "zipkin", "conf": {"url": "http://z:9411/v2"}},
            {"name": "d", "type": "datadog", "conf": {"address": "127.0.0.1", "port": 8126}},
        ],
    },
    "logging": {
        "defaultBackend": "f",
        "backends": [
            {"name": "f", "format": "%START_TIME%", "type": "file", "conf": {"path": "/tmp/x"}},
            {"name": "t", "type": "tcp", "conf": {"address": "kibana:1234"}},
        ],
    },
    "metrics": {
        "enabledBackend": "p",
        "backends": [{"name": "p", "type": "prometheus", "conf": {"port": 5670}}],
    },
    "networking": {"outbound": {"passthrough": False}},
    "routing": {
        "localityAwareLoadBalancing": True,
        "zoneEgress": True,
        "defaultForbidMeshExternalServiceAccess": True,
    },
    "constraints": {
        "dataplaneProxy": {
            "requirements": [{"tags": {"kuma.io/zone": "east"}}],
            "restrictions": [{"tags": {"kuma.io/service": "*"}}],
        }
    },
    "skipCreatingInitialPolicies": ["*"],
    "meshServices": {"mode": "Exclusive"},
}


def test_a_mesh_with_everything_is_valid_and_shown_as_it_was() -> None:
    assert found("Mesh", FULL) == []
    assert shown("Mesh", {"type": "Mesh", "name": "m", **FULL}) == FULL


def test_an_empty_mesh_is_valid() -> None:
    assert found("Mesh", {"type": "Mesh", "name": "m"}) == []
    assert shown("Mesh", {"type": "Mesh", "name": "m"}) == {}


def test_defaults_are_not_shown() -> None:
    document = {
        "mtls": {"backends": [{"name": "a", "mode": 0}]},
        "meshServices": {"mode": "Disabled"},
        "routing": {"zoneEgress": False},
    }
    assert shown("Mesh", document) == {
        "mtls": {"backends": [{"name": "a"}]},
        "routing": {},
        "meshServices": {},
    }


def test_an_unknown_mode_of_mtls_cannot_be_read() -> None:
    ((field, reason),) = found("Mesh", {"mtls": {"backends": [{"mode": "LOOSE"}]}})
    assert field == ""
    assert reason == (
        'unknown value "\\"LOOSE\\"" for enum kuma.mesh.v1alpha1.CertificateAuthorityBackend.Mode'
    )


@pytest.mark.parametrize(
    ("mtls", "expected"),
    [
        (
            {"backends": [{"name": "a"}, {"name": "a"}]},
            [
                ("mtls.backends", "cannot have more than 1 backends"),
                ("mtls.backends[1].name", '"a" name is already used for another backend'),
            ],
        ),
        (
            {"enabledBackend": "b", "backends": [{"name": "a"}]},
            [("mtls.enabledBackend", "has to be set to one of the backends in the mesh")],
        ),
        (
            {"backends": [{"name": "a", "dpCert": {}}]},
            [("mtls.dpcert.rotation.expiration", "has to be a valid format")],
        ),
        (
            {"backends": [{"name": "a", "dpCert": {"rotation": {"expiration": "2e"}}}]},
            [("mtls.dpcert.rotation.expiration", "has to be a valid format")],
        ),
        ({"backends": [{"name": "a", "dpCert": {"rotation": {"expiration": "0"}}}]}, []),
    ],
)
def test_mtls(mtls: object, expected: list[tuple[str, str]]) -> None:
    assert found("Mesh", {"mtls": mtls}) == expected


@pytest.mark.parametrize("text", ["1d", "2y", "3w", "4h", "5m", "6s", "700ms", "0"])
def test_an_expiration_has_a_number_and_a_unit(text: str) -> None:
    assert is_expiration(text)


@pytest.mark.parametrize("text", ["", "1", "d", "1.5d", "-1d", "1d ", "1d\n", "٣d", "1us"])
def test_what_is_no_expiration_is_none(text: str) -> None:
    assert not is_expiration(text)


def backends(section: str, *entries: object, **more: object) -> dict[str, Any]:
    return {section: {"backends": list(entries), **more}}


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ({"type": "tcp", "conf": {"address": "a:1"}}, [("name", "cannot be empty")]),
        ({"name": "a", "type": "tcp"}, [("config.address", "cannot be empty")]),
        (
            {"name": "a", "type": "tcp", "conf": {"address": "a:b:c"}},
            [("config.address", "has to be in format of HOST:PORT")],
        ),
        (
            {"name": "a", "type": "tcp", "conf": {"address": ":80"}},
            [("config.address", "has to be in format of HOST:PORT")],
        ),
        ({"name": "a", "type": "tcp", "conf": {"address": "[::1]:80"}}, []),
        ({"name": "a", "type": "file"}, [("config.path", "cannot be empty")]),
        (
            {"name": "a", "type": "file", "conf": {"path": 1}},
            [
                (
                    "config",
                    "could not parse config: json: cannot unmarshal number into Go value of type string",
                )
            ],
        ),
        (
            {"name": "a", "type": "syslog"},
            [("type", 'unknown backend type. Available backends: "tcp", "file"')],
        ),
    ],
)
def test_a_logging_backend(backend: object, expected: list[tuple[str, str]]) -> None:
    prefixed = [(f"logging.backends[0].{field}", reason) for field, reason in expected]
    assert found("Mesh", backends("logging", backend)) == prefixed


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ({"type": "zipkin", "conf": {"url": "http://a:1/"}}, [("name", "cannot be empty")]),
        (
            {"name": "a", "sampling": -0.1, "type": "datadog", "conf": {"address": "a", "port": 1}},
            [("sampling", "has to be in [0.0 - 100.0] range")],
        ),
        ({"name": "a", "type": "zipkin"}, [("config.url", "cannot be empty")]),
        (
            {"name": "a", "type": "zipkin", "conf": {"url": "zipkin:9411"}},
            [("config.url", "port has to be explicitly specified")],
        ),
        (
            {"name": "a", "type": "zipkin", "conf": {"url": "not a url"}},
            [("config.url", "invalid URL")],
        ),
        (
            {"name": "a", "type": "zipkin", "conf": {"url": "http://a:1/", "apiVersion": "v3"}},
            [
                (
                    "config.apiVersion",
                    "has invalid value. Allowed values: httpJsonV1, httpJson, httpProto",
                )
            ],
        ),
        (
            {"name": "a", "type": "datadog"},
            [
                ("config.address", "cannot be empty"),
                ("config.port", "port must be in the range [1, 65535]"),
            ],
        ),
        (
            {"name": "a", "type": "datadog", "conf": {"port": "x"}},
            [
                (
                    "config",
                    "could not parse config: invalid character 'x' looking for beginning of value",
                )
            ],
        ),
        (
            {"name": "a", "type": "jaeger"},
            [("type", 'unknown backend type. Available backends: "zipkin", "datadog"')],
        ),
    ],
)
def test_a_tracing_backend(backend: object, expected: list[tuple[str, str]]) -> None:
    prefixed = [(f"tracing.backends[0].{field}", reason) for field, reason in expected]
    assert found("Mesh", backends("tracing", backend)) == prefixed


@pytest.mark.parametrize(
    ("section", "default", "message"),
    [
        ("logging", "defaultBackend", "has to be set to one of the logging backend in mesh"),
        ("tracing", "defaultBackend", "has to be set to one of the tracing backend in mesh"),
        ("metrics", "enabledBackend", "has to be set to one of the backends in the mesh"),
    ],
)
def test_a_default_is_one_of_the_backends(section: str, default: str, message: str) -> None:
    assert found("Mesh", {section: {default: "x"}}) == [(f"{section}.{default}", message)]


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({}, []),
        ({"skipMTLS": True, "tls": {"mode": "disabled"}}, []),
        ({"skipMTLS": False, "tls": {}}, []),
        (
            {"skipMTLS": True, "tls": {}},
            [("", "skipMTLS and tls configuration cannot be defined together")],
        ),
        (
            {"envoy": {"filterRegex": "("}},
            [
                (
                    ".envoy.filterRegex",
                    "provided regexp isn't correct: error parsing regexp: missing closing ): `(`",
                )
            ],
        ),
        (
            {"aggregate": [{"name": "a"}, {"name": "b"}, {"name": "a"}]},
            [(".aggregate[2].name", "duplicate entry: a, values have to be unique")],
        ),
        (
            {"port": -1},
            [
                (
                    "",
                    "could not parse config: json: cannot unmarshal number -1 into Go value of type uint32",
                )
            ],
        ),
    ],
)
def test_a_metrics_backend(conf: object, expected: list[tuple[str, str]]) -> None:
    backend = {"name": "p", "type": "prometheus", "conf": conf}
    prefixed = [(f"metrics.backends[0].conf{field}", reason) for field, reason in expected]
    assert found("Mesh", backends("metrics", backend)) == prefixed


def filtering(pattern: str, count: int) -> dict[str, Any]:
    conf = {"envoy": {"filterRegex": pattern}}
    entries = ({"name": f"p-{n}", "type": "prometheus", "conf": conf} for n in range(count))
    return backends("metrics", *entries)


def test_metrics_are_filtered_by_a_bounded_number_of_expressions() -> None:
    assert found("Mesh", filtering("a", 64)) == []
    assert found("Mesh", filtering("(", 65)) == [
        ("metrics.backends", "must not have more than 64 regular expressions in all")
    ]


def test_metrics_are_those_of_prometheus() -> None:
    assert found("Mesh", backends("metrics", {"name": "a", "type": "statsd"})) == [
        ("metrics.backends[0].type", 'unknown backend type. Available backends: "prometheus"')
    ]


def test_a_constraint_names_tags() -> None:
    proxies = {"requirements": [{}], "restrictions": [{"tags": {"a": ""}}]}
    assert found("Mesh", {"constraints": {"dataplaneProxy": proxies}}) == [
        ("constraints.dataplaneProxy.requirements[0].tags", "must have at least one tag"),
        (
            'constraints.dataplaneProxy.restrictions[0].tags["a"]',
            "tag value must be non-empty",
        ),
    ]


@pytest.mark.parametrize("mtls", [None, {}, {"backends": [{"name": "a"}]}])
def test_an_egress_of_the_zone_asks_for_mtls(mtls: object) -> None:
    document = {"routing": {"zoneEgress": True}, "mtls": mtls}
    assert found("Mesh", document) == [("mtls", "has to be set when zoneEgress enabled")]


@pytest.mark.parametrize(
    ("mtls", "name"),
    [
        (None, None),
        ({"backends": [{"name": "a"}]}, None),
        ({"enabledBackend": "a", "backends": [{"name": "a"}]}, "a"),
        ({"enabledBackend": "b", "backends": [{"name": "a"}]}, None),
    ],
)
def test_a_mesh_knows_its_certificate_authority(mtls: object, name: str | None) -> None:
    enabled = read_message(Mesh, {"mtls": mtls}).enabled_ca
    assert (None if enabled is None else enabled.name) == name
