"""The real Envoy takes what is generated of the resources of every recording (`--mode validate`).

KMESH_TEST_RECORDINGS says which cases: patterns of SUITE/CASE with spaces between them.
"""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

from support.data_plane.envoy_binary import envoy_binary
from support.suites.envoy_validation import complaint
from support.suites.judged_recordings import REFUSED, is_there
from support.suites.recorded_proxies import cases, generated_for, tools

PATTERNS: Final = os.environ.get("KMESH_TEST_RECORDINGS", "*/*").split()

SHOWN_CHARACTERS: Final = 3000  # of what Envoy says, whose reason stands at the end

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
    proxies = [each for each in read.proxies if is_there(each, read.resources)]
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
