"""Unix sockets need short paths: sun_path holds 107 bytes, and pytest's own folders grow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kmesh-") as directory:
        yield Path(directory)
