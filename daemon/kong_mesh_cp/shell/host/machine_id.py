"""The id of this machine, as systemd keeps it."""

from __future__ import annotations

from pathlib import Path

MACHINE_ID_FILE = Path("/etc/machine-id")


def machine_id() -> str:
    """machine-id(5), which is confidential; "" where there is none."""
    try:
        return MACHINE_ID_FILE.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
