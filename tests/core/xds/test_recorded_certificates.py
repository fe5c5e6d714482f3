"""What proxies of meshes with mTLS are told is taken by the real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.data_plane.envoy_binary import envoy_binary
from support.suites.envoy_validation import complaint
from support.suites.recorded_proxies import cases, generated


@pytest.mark.parametrize("case", cases("mtls", "permissions"))
def test_the_real_envoy_takes_it(case: Path, tmp_path: Path) -> None:
    binary = envoy_binary()
    for snapshot in generated(case):
        assert complaint(binary, tmp_path, snapshot) == ""
