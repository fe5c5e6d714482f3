"""Envoy's messages as users write them (docs/wire/envoy-patches.md#values)."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from kong_mesh_cp.core.xds.envoy.as_json import json_of
from kong_mesh_cp.core.xds.envoy.native_resources import (
    NODES_MAX,
    YAML_CHARACTERS_MAX,
    native,
    native_any,
    plain_of,
)
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

CLUSTER = "envoy.config.cluster.v3.Cluster"
LISTENER = "envoy.config.listener.v3.Listener"
BUFFER = """
name: envoy.filters.http.buffer
typedConfig:
  '@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
  maxRequestBytes: 512
"""
HTTP_FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"


def cluster(text: str) -> Any:
    return json_of(native(CLUSTER, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connectTimeout: 1m30s", {"connectTimeout": "90s"}),
        ("connect_timeout: 100ms", {"connectTimeout": "0.100s"}),
        ('{"name": "a", "lbPolicy": "MAGLEV"}', {"name": "a", "lbPolicy": "MAGLEV"}),
        ("type: 3", {"type": "EDS"}),
        ("name: a\nnobodyKnows: {this: 1}", {"name": "a"}),
        ("name: null\naltStatName: b", {"altStatName": "b"}),
        ("maxRequestsPerConnection: '5'", {"maxRequestsPerConnection": 5}),
        ("commonLbConfig: {healthyPanicThreshold: {value: 12.5}}", None),
        ("metadata: {filterMetadata: {a: {b: [1, {c: null}]}}}", None),
        ("name: 2020-01-01", {"name": "2020-01-01"}),
        ("name: 10:30", {"name": "10:30"}),
        ("", {}),
        ("# nothing", {}),
    ],
)
def test_what_a_text_says(text: str, expected: object) -> None:
    found = cluster(text)
    assert found == expected if expected is not None else found


def test_any_message_of_envoys_is_known_though_it_was_not_imported() -> None:
    program = (
        "import sys\n"
        "from kong_mesh_cp.core.xds.envoy.native_resources import native\n"
        "module = 'envoy.extensions.filters.http.buffer.v3.buffer_pb2'\n"
        "assert module not in sys.modules\n"
        f"native({HTTP_FILTER!r}, {BUFFER!r})\n"
        "assert module in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": "daemon"})
    assert json_of(native(HTTP_FILTER, BUFFER))["typedConfig"]["maxRequestBytes"] == 512


def test_a_resource_says_its_type_itself() -> None:
    found = native_any(f"'@type': type.googleapis.com/{CLUSTER}\nname: a\nconnectTimeout: 5s")
    assert found.DESCRIPTOR.full_name == CLUSTER
    assert json_of(found) == {"name": "a", "connectTimeout": "5s"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("connectTimeout: soon", "soon"),
        ("connectTimeout: 5", "a duration is a text, and not 5"),
        ("type: STATISTIC", 'unknown value "STATISTIC" of envoy.config.cluster.v3.Cluster.type'),
        ("name: [a]", "name"),
        ("name: 5", "name"),
        ("filters: {}", "is an array, and not {}"),
        ("loadAssignment: []", "is an object, and not []"),
        ("- a", "is an object"),
        ("a: b: c", "it is no YAML"),
        ("transportSocket: {typedConfig: {a: 1}}", "Any JSON doesn't have '@type'"),
        (
            "transportSocket: {typedConfig: {'@type': type.googleapis.com/os.path.Join}}",
            "could not resolve Any message type: type.googleapis.com/os.path.Join",
        ),
        (
            "transportSocket: {typedConfig: {'@type': type.googleapis.com/envoy.nowhere.v3.X}}",
            "could not resolve Any message type",
        ),
    ],
)
def test_what_is_no_message_is_told(text: str, reason: str) -> None:
    with pytest.raises(UnmakeableError) as caught:
        native(CLUSTER, text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e3", 1000.0),
        ("0x1f", 31),
        ("010", 8),
        ("1:30", "1:30"),
        ("yes", True),
        ("n", False),
        ("~", {}),
        ("'1'", "1"),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("{1: a, 2.5: b}", {"1": "a", "2.5": "b"}),
        ("{true: a}", {"true": "a"}),
        ("a: &x {b: 1}\nc: {<<: *x, d: *x}", {"a": {"b": 1}, "c": {"b": 1, "d": {"b": 1}}}),
    ],
)
def test_yaml_is_read_as_go_reads_it(text: str, expected: object) -> None:
    assert plain_of(text) == expected


def test_yaml_has_an_end() -> None:
    names = [f"a{index}" for index in range(20)]
    lines = ["a: &a0 [x, x]"] + [
        f"b{name}: &{after} [*{name}, *{name}]" for name, after in pairwise(names)
    ]
    with pytest.raises(UnmakeableError, match=str(NODES_MAX)):
        plain_of("\n".join(lines))
    with pytest.raises(UnmakeableError, match=str(YAML_CHARACTERS_MAX)):
        plain_of("a: " + "b" * YAML_CHARACTERS_MAX)
    for nested in ("[" * 60_000, "{a: " * 10_000):
        with pytest.raises(UnmakeableError):
            plain_of(nested)
    assert plain_of('{"a": "' + "b" * YAML_CHARACTERS_MAX + '"}')
    deep = '{"filterChains": ' * 500 + "[]" + "}" * 500
    with pytest.raises(UnmakeableError):
        native(LISTENER, deep)
