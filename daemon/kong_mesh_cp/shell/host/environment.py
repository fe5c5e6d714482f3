"""Wipes a secret variable from the block that /proc/PID/environ shows.

Taking a variable out of the environment keeps it from children only: the kernel goes on showing
the block that the process was started with. It lies in this process's own memory, so it can be
overwritten there.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_STAT_FIELDS_BEFORE_ENV_START = 49  # proc(5): env_start is field 50, env_end field 51


def wipe_initial_environment(variable: str, process: Path = Path("/proc/self")) -> bool:
    """Overwrite the value of `variable` with `*`. Returns whether it is gone (or never was there).

    Never raises OSError: a kernel that hides its proc files only means that nothing was wiped.
    """
    try:
        # The command name, in parentheses, may hold spaces and parentheses itself.
        after_name = (process / "stat").read_bytes().rpartition(b") ")[2].split()
        block = (process / "environ").read_bytes()
    except OSError:
        return False
    env_start = int(after_name[_STAT_FIELDS_BEFORE_ENV_START - 2])
    prefix = variable.encode() + b"="
    offset = 0
    for entry in block.split(b"\0"):
        if entry.startswith(prefix) and env_start:
            value = len(entry) - len(prefix)
            ctypes.memset(env_start + offset + len(prefix), ord("*"), value)
        offset += len(entry) + 1
    return not _still_shown(prefix, process)


def _still_shown(prefix: bytes, process: Path) -> bool:
    try:
        entries = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return True  # unknown
    return any(entry.startswith(prefix) and entry[len(prefix) :].strip(b"*") for entry in entries)
