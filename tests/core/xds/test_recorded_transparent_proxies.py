"""What is generated for transparent proxies is what a control plane of Kuma 2.10 sent them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.suites.recorded_proxies import cases, differences


@pytest.mark.parametrize("case", cases("transparent"))
def test_a_transparent_proxy_is_told_what_the_original_tells_it(case: Path) -> None:
    assert differences(case) == []
