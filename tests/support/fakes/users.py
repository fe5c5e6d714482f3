"""Tests about rights: root has them all, so such a test steps down for a moment."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY_UID = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@contextmanager
def without_root(uid: int = NOBODY_UID) -> Iterator[None]:
    """Run with the rights of `uid`, if this is root; else as who we are."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """A temporary directory whose parents everybody may enter; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="kong-mesh-cp-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)
