"""Both ways in which Envoy may be told of its configuration."""

from __future__ import annotations

from typing import Final

import pytest

WAYS: Final = pytest.mark.parametrize(
    "way", [{}, {"KMESH_XDS_DELTA": "true"}], ids=["state of the world", "delta"]
)
