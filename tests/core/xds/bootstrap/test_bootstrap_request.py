"""What kuma-dp tells of itself."""

from __future__ import annotations

import json

import pytest

from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import (
    BootstrapRequest,
    NoBootstrapRequestError,
    ProxyVersions,
    read_bootstrap_request,
)

WHOLE = {
    "mesh": "shop",
    "name": "web-1",
    "proxyType": "dataplane",
    "dataplaneToken": "a.b.c",
    "dataplaneTokenPath": "/run/token",
    "dataplaneResource": "type: Dataplane",
    "version": {
        "kumaDp": {"version": "2.10.11", "gitTag": "t", "gitCommit": "c", "buildDate": "d"},
        "envoy": {"version": "1.34.12", "build": "b", "kumaDpCompatible": True},
    },
    "caCert": "pem",
    "dynamicMetadata": {"version.dependencies.coredns": "1.11.1"},
    "dnsPort": 15054,
    "readinessPort": 9902,
    "appProbeProxyDisabled": True,
    "operatingSystem": "linux",
    "features": ["one", "two"],
    "resources": {"maxHeapSizeBytes": 2**40},
    "workdir": "/run/kuma-dp",
    "metricsResources": {"certPath": "/crt", "keyPath": "/key"},
    "systemCaPath": "/ca",
    "ipv6Enabled": True,
    "newer": [{}],
}


def test_all_of_it_is_read() -> None:
    assert read_bootstrap_request(json.dumps(WHOLE).encode()) == BootstrapRequest(
        mesh="shop",
        name="web-1",
        token="a.b.c",
        token_path="/run/token",
        resource="type: Dataplane",
        versions=ProxyVersions(
            version="2.10.11",
            git_tag="t",
            git_commit="c",
            build_date="d",
            envoy_version="1.34.12",
            envoy_build="b",
            envoy_compatible=True,
        ),
        ca_cert="pem",
        dynamic_metadata={"version.dependencies.coredns": "1.11.1"},
        dns_port=15054,
        readiness_port=9902,
        app_probe_proxy=True,
        operating_system="linux",
        features=("one", "two"),
        heap_bytes_max=2**40,
        workdir="/run/kuma-dp",
        metrics_cert_path="/crt",
        metrics_key_path="/key",
        system_ca_path="/ca",
        ipv6=True,
    )


@pytest.mark.parametrize(
    "body", [b"{}", b"null", b'{"proxyType":"","version":null,"dnsPort":null}']
)
def test_what_is_absent_is_empty_and_the_proxy_is_of_the_data_plane(body: bytes) -> None:
    assert read_bootstrap_request(body) == BootstrapRequest()


def test_a_token_is_not_shown() -> None:
    assert "a.b.c" not in repr(read_bootstrap_request(json.dumps(WHOLE).encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"name": 1}',
        b'{"dnsPort": "15054"}',
        b'{"dnsPort": -1}',
        b'{"dnsPort": 4294967296}',
        b'{"dnsPort": 1.5}',
        b'{"dnsPort": true}',
        b'{"features": "one"}',
        b'{"features": [1]}',
        b'{"dynamicMetadata": {"a": 1}}',
        b'{"dynamicMetadata": []}',
        b'{"version": []}',
        b'{"version": {"envoy": {"kumaDpCompatible": "yes"}}}',
        b'{"name": "\xff"}',
    ],
)
def test_what_is_of_another_type_is_no_request(body: bytes) -> None:
    with pytest.raises(NoBootstrapRequestError):
        read_bootstrap_request(body)
