"""One message merged into another (docs/wire/envoy-patches.md#values)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.formats.json_patch import Step
from kong_mesh_cp.core.xds.envoy.as_json import json_of
from kong_mesh_cp.core.xds.envoy.merging import apply_steps, merge, merge_any
from kong_mesh_cp.core.xds.envoy.native_resources import native
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

CLUSTER = "envoy.config.cluster.v3.Cluster"
FILTER = "envoy.config.listener.v3.Filter"
TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
ECHO = "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"
KAFKA = "type.googleapis.com/envoy.extensions.filters.network.kafka_broker.v3.KafkaBroker"


def copy_of(type_name: str, text: str) -> Any:
    found = type(native(type_name, text))()
    found.CopyFrom(native(type_name, text))
    return found


def merged(text: str, patch: str) -> Any:
    message = copy_of(CLUSTER, text)
    merge(message, native(CLUSTER, patch))
    return json_of(message)


@pytest.mark.parametrize(
    ("text", "patch", "expected"),
    [
        ("name: a", "altStatName: b", {"name": "a", "altStatName": "b"}),
        ("connectTimeout: 5.5s", "connectTimeout: 1s", {"connectTimeout": "1s"}),
        ("connectTimeout: 5s", "connectTimeout: 0s", {"connectTimeout": "0s"}),
        # Zero says nothing, a wrapped one neither.
        ("lbPolicy: MAGLEV", "lbPolicy: ROUND_ROBIN", {"lbPolicy": "MAGLEV"}),
        ("perConnectionBufferLimitBytes: 5", "perConnectionBufferLimitBytes: 0", None),
        (
            "edsClusterConfig: {serviceName: a}",
            "edsClusterConfig: {edsConfig: {ads: {}}}",
            {"edsClusterConfig": {"serviceName": "a", "edsConfig": {"ads": {}}}},
        ),
        (
            "healthChecks: [{timeout: 1s}]",
            "healthChecks: [{timeout: 2s}]",
            {"healthChecks": [{"timeout": "1s"}, {"timeout": "2s"}]},
        ),
        (
            "metadata: {filterMetadata: {a: {x: 1}, b: {w: 1}}}",
            "metadata: {filterMetadata: {a: {z: 2}}}",
            {"metadata": {"filterMetadata": {"a": {"z": 2}, "b": {"w": 1}}}},
        ),
        ("", "httpProtocolOptions: {}", {"httpProtocolOptions": {}}),
    ],
)
def test_what_the_patch_says_counts(text: str, patch: str, expected: object) -> None:
    if expected is None:
        expected = merged(text, "")
    assert merged(text, patch) == expected


def test_what_a_socket_is_configured_with_is_replaced_as_a_whole() -> None:
    prefix = "type.googleapis.com/envoy.extensions.transport_sockets"
    tls = f"{prefix}.tls.v3.UpstreamTlsContext"
    plain = f"{prefix}.raw_buffer.v3.RawBuffer"
    found = merged(
        f"transportSocket: {{name: a, typedConfig: {{'@type': {tls}, sni: b}}}}",
        f"transportSocket: {{typedConfig: {{'@type': {plain}}}}}",
    )
    assert found == {"transportSocket": {"name": "a", "typedConfig": {"@type": plain}}}


def test_configurations_of_a_type_are_merged_and_others_refused() -> None:
    message = copy_of(FILTER, f"typedConfig: {{'@type': {TCP}, statPrefix: a, cluster: b}}")
    patch = native(FILTER, f"typedConfig: {{'@type': {TCP}, cluster: c}}")
    merge_any(message.typed_config, patch.typed_config)
    assert json_of(message) == {"typedConfig": {"@type": TCP, "statPrefix": "a", "cluster": "c"}}
    other = native(FILTER, f"typedConfig: {{'@type': {ECHO}}}")
    with pytest.raises(UnmakeableError, match=r"it is of type .*TcpProxy, and the patch of .*Echo"):
        merge_any(message.typed_config, other.typed_config)
    merge_any(message.typed_config, native(FILTER, "name: a").typed_config)
    assert json_of(message)["typedConfig"]["cluster"] == "c"


def test_kafkas_filter_can_be_patched_though_no_module_has_it() -> None:
    message = copy_of(FILTER, f"typedConfig: {{'@type': {KAFKA}, statPrefix: a}}")
    patch = native(FILTER, f"typedConfig: {{'@type': {KAFKA}, statPrefix: b}}")
    merge_any(message.typed_config, patch.typed_config)
    assert json_of(message) == {"typedConfig": {"@type": KAFKA, "statPrefix": "b"}}


def test_steps_see_the_message_as_json() -> None:
    message = copy_of(CLUSTER, "name: a\ntype: EDS\nconnectTimeout: 5s")
    steps = (Step("replace", "/connectTimeout", value='"1m"'), Step("remove", "/type"))
    apply_steps(message, steps)
    assert json_of(message) == {"name": "a", "connectTimeout": "60s"}
    with pytest.raises(UnmakeableError, match="replace of '/lbPolicy' does not apply"):
        apply_steps(message, (Step("replace", "/lbPolicy", value='"MAGLEV"'),))
    with pytest.raises(UnmakeableError, match="unknown value"):
        apply_steps(message, (Step("add", "/lbPolicy", value='"MAGLEVEL"'),))
