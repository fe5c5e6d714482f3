"""What proxies of meshes with mTLS are told is what a control plane of Kuma 2.10 told them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.suites.envoy_validation import complaint, envoy
from support.suites.recorded_proxies import cases, generated


@pytest.mark.skipif(envoy() is None, reason="no Envoy: run scripts/setup-envoy")
@pytest.mark.parametrize("case", cases("mtls", "permissions"))
def test_the_real_envoy_takes_it(case: Path, tmp_path: Path) -> None:
    binary = envoy()
    assert binary is not None
    for snapshot in generated(case):
        assert complaint(binary, tmp_path, snapshot) == ""
