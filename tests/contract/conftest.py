"""The implementations of a port, as parameters of its contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.resources import LOCAL_NAMES, ResourceOpening, local_openings


@pytest.fixture(params=LOCAL_NAMES)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> ResourceOpening:
    return local_openings(tmp_path)[request.param]
