"""Files that hang whoever opens them, as those of a network mount whose server is gone."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.suites.patience import HANG_SECONDS

# fanotify_init(2), fanotify_mark(2): whoever opens the file waits for a permission.
_CLASS_CONTENT, _CLOEXEC = 0x4, 0x1
_MARK_ADD = 0x1
_OPEN_PERMISSION = 0x10000
_AT_WORKING_DIRECTORY = -100


@contextmanager
def hanging(path: Path) -> Iterator[Callable[[], None]]:
    """Gives what waits until somebody has opened `path`, and hangs. Open it no more yourself."""
    libc = ctypes.CDLL(None, use_errno=True)
    group = libc.fanotify_init(_CLASS_CONTENT | _CLOEXEC, os.O_RDONLY | os.O_CLOEXEC)
    if group < 0:
        pytest.skip(f"no permissions of fanotify here: {os.strerror(ctypes.get_errno())}")
    try:
        mask = ctypes.c_uint64(_OPEN_PERMISSION)
        marked = libc.fanotify_mark(group, _MARK_ADD, mask, _AT_WORKING_DIRECTORY, bytes(path))
        if marked < 0:
            pytest.skip(f"no marks of fanotify here: {os.strerror(ctypes.get_errno())}")

        def wait() -> None:
            found, _, _ = select.select([group], [], [], HANG_SECONDS)
            assert found, f"nobody has opened {path}"

        yield wait
    finally:
        os.close(group)  # everybody who hangs goes on
