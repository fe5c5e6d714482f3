"""What a proxy says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata, read_metadata

SAID = {
    "dataplane.admin.port": "9901",
    "dataplane.admin.address": "127.0.0.1",
    "dataplane.dns.port": "15053",
    "dataplane.readinessReporter.port": "9902",
    "dataplane.appProbeProxy.enabled": "true",
    "dataplane.proxyType": "ingress",
    "dataplane.resource": "type: Dataplane",
    "ipv6Enabled": False,
    "features": ["feature-a", 3, "feature-b"],
    "workdir": "/tmp/kuma-dp",
    "accessLogSocketPath": "/tmp/log.sock",
    "metricsSocketPath": "/tmp/metrics.sock",
    "systemCaPath": "/etc/ssl/ca.pem",
    "dynamicMetadata": {"version": "1", "other": 2},
    "version": {"kumaDp": {"version": "2.10.1"}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def test_what_it_says_is_read() -> None:
    assert read_metadata(SAID) == ProxyMetadata(
        admin_port=9901,
        admin_address="127.0.0.1",
        dns_port=15053,
        readiness_port=9902,
        app_probe_proxy=True,
        ipv6=False,
        features=frozenset({"feature-a", "feature-b"}),
        workdir="/tmp/kuma-dp",
        access_log_socket="/tmp/log.sock",
        system_ca_path="/etc/ssl/ca.pem",
        resource="type: Dataplane",
        proxy_type="ingress",
    )
    assert read_metadata(SAID).dynamic == {"version": "1"}
    assert read_metadata(SAID).version == {"kumaDp": {"version": "2.10.1"}}


def test_one_that_says_nothing_is_a_data_plane_proxy_with_ipv6_and_no_ports() -> None:
    found = read_metadata({})
    assert found == ProxyMetadata()
    assert found.proxy_type == "dataplane"
    assert found.ipv6


@pytest.mark.parametrize(
    "port", ["65536", "-1", "9901x", "", "9" * 5000, "٣", 9901, None, ["9901"], "+1", " 1"]
)
def test_what_is_no_port_is_none(port: object) -> None:
    assert read_metadata({"dataplane.admin.port": port}).admin_port == 0


@given(said=st.dictionaries(st.sampled_from(sorted(SAID)), JSON))
def test_whatever_is_said_is_read_and_can_be_a_key(said: dict[str, object]) -> None:
    found = read_metadata(said)
    assert found == read_metadata(said)
    assert 0 <= found.admin_port <= 65535
    hash((found.features, found.workdir, found.resource))
