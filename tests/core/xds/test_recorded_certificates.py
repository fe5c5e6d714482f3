"""What proxies of meshes with mTLS are told is what a control plane of Kuma 2.10 told them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.suites.recorded_proxies import cases, differences


@pytest.mark.parametrize("case", cases("mtls", "permissions"))
def test_a_proxy_with_mtls_is_told_what_the_original_tells_it(case: Path) -> None:
    assert differences(case) == []
