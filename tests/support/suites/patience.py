"""How long a test waits for what must come."""

from __future__ import annotations

from typing import Final

HANG_SECONDS: Final = 600.0
"""Longer than anything takes here, also with twenty tests for each core. What is waited for is an
event, so that only a test that has failed already waits for so long.
"""
