"""A small disk of its own for a test, and ways to fill it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BLOCK_BYTES = 4096


@contextmanager
def small_disk(directory: Path, kib: int) -> Iterator[Path]:
    """A tmpfs of `kib` KiB at `directory`; skips the test where that cannot be had."""
    directory.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("a file system of a few hundred KiB takes root and the right to mount")
    try:
        yield directory
    finally:
        # Lazily: a daemon of a failed test may still have files open there.
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(disk: Path) -> Path:
    """Take the last byte of `disk`; removing the file that is returned makes room again."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(BLOCK_BYTES)):
            pass
    return ballast
