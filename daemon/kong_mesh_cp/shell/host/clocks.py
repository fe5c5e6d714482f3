"""The machine's clocks. They are read here and handed inwards as plain callables."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def wall_clock() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place where the wall clock is read


def boot_clock() -> float:
    """CLOCK_BOOTTIME in seconds: goes on while the machine sleeps and cannot be set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Tells one boot of this machine from another. Raises: OSError."""
    return BOOT_ID_FILE.read_text(encoding="ascii").strip()
