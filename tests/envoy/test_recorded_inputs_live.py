"""A running Envoy takes over ADS what is generated of the resources of every recording.

It is told one case after the other, in a network where every address is its own.
KMESH_TEST_RECORDINGS says which cases: patterns of SUITE/CASE with spaces between them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest
import trio

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from support.data_plane.envoy_binary import envoy_binary
from support.data_plane.own_network import network_of_any_address
from support.suites.fed_envoy import refusals
from support.suites.judged_recordings import REFUSED, is_there
from support.suites.recorded_proxies import cases, generated_for, tools
from support.suites.validation_cases import shared_folder

pytestmark = pytest.mark.system

PATTERNS: Final = os.environ.get("KMESH_TEST_RECORDINGS", "*/*").split()
SHOWN_CHARACTERS: Final = 500  # of what Envoy says about one case

EXPECTED: Final = {
    **{
        name: said
        for name, (said, _) in REFUSED.items()
        if name != "transparent/direct-access-mtls"
    },
    "sidecar/inbounds-share-workload-port": "upstream_protocol_options",
}
"""What it says to what it refuses: the same as without a control plane, with ADS one less."""


def _snapshots() -> Iterator[tuple[str, Snapshot]]:
    """Those that differ."""
    seen = set[tuple[str, ...]]()
    for each in cases():
        (path,) = each.values
        name = f"{path.parent.name}/{path.name}"
        if not any(fnmatch(name, pattern) for pattern in PATTERNS):
            continue
        case = tools().probe.Case(path)
        for proxy in case.proxies:
            if not is_there(proxy, case.resources):
                continue
            snapshot = generated_for(case, proxy).snapshot
            key = tuple(snapshot.by_type[url].version for url in sorted(snapshot.by_type))
            if key not in seen:
                seen.add(key)
                yield name, snapshot


def test_a_running_envoy_takes_all_that_is_generated_of_the_recordings(tmp_path: Path) -> None:
    if shared_folder() is None:
        pytest.skip("no shared data beside the checkout")
    binary, snapshots = envoy_binary(), [*_snapshots()]
    with network_of_any_address():
        found = trio.run(refusals, binary, tmp_path, snapshots)

    expected = {name: EXPECTED[name] for name, _ in snapshots if name in EXPECTED}
    shown = {name: said[-SHOWN_CHARACTERS:] for name, said in found.items()}
    assert snapshots
    assert found.keys() == expected.keys(), shown
    assert all(expected[name] in said for name, said in found.items()), shown
