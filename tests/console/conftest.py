"""One browser for the tests of a module: each page has a context of its own, and ends with its
test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.browser.chromium import PROGRAM, Browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with Browser() as started:
        yield started


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    chromium.close_pages()
