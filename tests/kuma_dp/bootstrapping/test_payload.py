"""What is asked of the control plane, held to what it reads."""

from __future__ import annotations

import json
from typing import Any

from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import read_bootstrap_request
from kuma_dp.bootstrapping.payload import Facts, payload
from kuma_dp.envoy.binary import EnvoyVersion
from kuma_dp.given.dataplane_file import Proxy
from kuma_dp.given.settings import gather

FACTS = Facts(
    envoy=EnvoyVersion("1.40.0", "abc/1.40.0/Clean/RELEASE/BoringSSL"),
    work_dir="/run/kuma-dp",
    system_ca_path="/etc/ssl/cert.pem",
    ipv6=True,
    memory_bytes=1024,
)
PROXY = Proxy("default", "backend-1", {"type": "Dataplane", "mesh": "default", "name": "backend-1"})


def asked(proxy: Proxy = PROXY, token: str = "t", **flags: object) -> bytes:
    settings, _ = gather(flags, {}, {})
    return payload(settings, proxy, FACTS, token=token, token_path="/token", authority="PEM")


def test_the_control_plane_reads_in_it_what_was_meant() -> None:
    read = read_bootstrap_request(asked())

    assert (read.mesh, read.name, read.proxy_type) == ("default", "backend-1", "dataplane")
    assert json.loads(read.resource) == PROXY.resource
    assert (read.token, read.token_path, read.ca_cert) == ("t", "/token", "PEM")
    assert (read.dns_port, read.readiness_port) == (15054, 9902)
    assert read.workdir == "/run/kuma-dp"
    assert read.heap_bytes_max == 1024
    assert read.ipv6
    assert not read.app_probe_proxy
    assert read_bootstrap_request(asked(probe_port=9000)).app_probe_proxy


def test_what_is_empty_is_absent() -> None:
    document: dict[str, Any] = json.loads(
        asked(Proxy("default", "backend-1"), token="", readiness_port=0, dns_envoy_port=0)
    )

    for absent in (
        "appProbeProxyDisabled",
        "dataplaneToken",
        "dataplaneResource",
        "dnsPort",
        "readinessPort",
    ):
        assert absent not in document
    assert document["version"]["kumaDp"]["version"] == "2.10.11"
    assert document["version"]["envoy"]["kumaDpCompatible"] is True
    assert document["operatingSystem"] == "linux"
