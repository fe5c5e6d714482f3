"""One browser for all tests of the console: each page has a context of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.browser.chromium import PROGRAM, Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with Browser() as started:
        yield started
