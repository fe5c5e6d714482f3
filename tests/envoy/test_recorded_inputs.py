"""The real Envoy takes what is generated of the resources of every recording (`--mode validate`).

KMESH_TEST_RECORDINGS says which cases: patterns of SUITE/CASE with spaces between them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest

from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.data_plane.envoy_binary import envoy_binary
from support.suites.envoy_validation import complaint
from support.suites.recorded_proxies import cases, generated_for, tools

PATTERNS: Final = os.environ.get("KMESH_TEST_RECORDINGS", "*/*").split()

SHOWN_CHARACTERS: Final = 3000  # of what Envoy says, whose reason stands at the end

_NO_KAFKA: Final = (
    "kafka_broker",
    "Envoy's own builds have no filter for Kafka; those with contributions do",
)
_AFTER_THE_LAST: Final = ("must be the last filter", "the patch of the case puts a filter there")
REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "meshproxypatch/http-addafter": _AFTER_THE_LAST,
    "meshproxypatch/http-addlast": _AFTER_THE_LAST,
    "meshproxypatch/network-addafter": _AFTER_THE_LAST,
    "meshproxypatch/network-addlast": _AFTER_THE_LAST,
    "meshretry/tcp-kafka": _NO_KAFKA,
    "meshtcproute/kafka": _NO_KAFKA,
    "meshtimeout/to-kafka": _NO_KAFKA,
    "sidecar/default-policies-http2-kafka": _NO_KAFKA,
    "meshmetric/prometheus-provided-tls": (
        "Failed to load incomplete private key",
        "the files of the certificate are on the machine of the proxy",
    ),
    "sidecar/admin-hostname": (
        "malformed IP address",
        "the address of the proxy is a host name, as the original has it",
    ),
    "sidecar/inbounds-share-workload-port": (
        "error initializing configuration",
        "two inbounds of one port differ in protocol, as the original has it",
    ),
    "transparent/direct-access-mtls": (
        "Caught Segmentation fault",
        "as a part of the bootstrap its cluster asks for secrets before there is ADS; it comes later",
    ),
}
"""By case: what Envoy says, and why we send it nevertheless. What comes to be taken has to leave."""

_RESOURCES: Final = {"dataplane": "Dataplane", "egress": "ZoneEgress", "ingress": "ZoneIngress"}

_taken: dict[tuple[str, ...], str] = {}


@pytest.mark.parametrize("case", cases())
def test_the_real_envoy_takes_what_is_generated_for_a_recorded_case(
    case: Path, tmp_path: Path
) -> None:
    name = f"{case.parent.name}/{case.name}"
    if not any(fnmatch(name, each) for each in PATTERNS):
        pytest.skip("not asked for by KMESH_TEST_RECORDINGS")
    binary = envoy_binary()
    read = tools().probe.Case(case)
    proxies = [each for each in read.proxies if _is_there(each, read.resources)]
    if not proxies:
        pytest.skip("no proxy of it is one that is configured: refused ones")
    found = ""
    for proxy in proxies:
        snapshot = generated_for(read, proxy).snapshot
        key = tuple(snapshot.by_type[url].version for url in sorted(snapshot.by_type))
        if key not in _taken:
            _taken[key] = complaint(binary, tmp_path, snapshot)
        found += _taken[key]
    expected, _ = REFUSED.get(name, ("", ""))
    assert (expected in found) if expected else not found, found[-SHOWN_CHARACTERS:]


def _is_there(proxy: Any, resources: Sequence[Mapping[str, Any]]) -> bool:
    there = {(each["type"], each.get("mesh", ""), each["name"]): each for each in resources}
    found = there.get((_RESOURCES[proxy.type], proxy.mesh, proxy.name))
    is_of_zone = proxy.type != "dataplane"
    has_mesh = ("Mesh", "", proxy.mesh) in there or proxy.mesh == "default"
    return (is_of_zone or has_mesh) and found is not None and not _violations(found)


def _violations(document: Mapping[str, Any]) -> Sequence[object]:
    kind = KINDS[document["type"]]
    return kind.validate(kind.parse(document))
