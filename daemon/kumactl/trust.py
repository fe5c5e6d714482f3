"""Whose files are believed: one's own and root's, that no other user can write.

The writer of kumactl's configuration decides where tokens are sent; the owner of its folder decides
which file is overwritten. With root's rights and another user's home (`sudo -E`) neither is ours.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kumactl.errors import UsageError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def require_own_file(status: os.stat_result, name: str) -> None:
    """Raises: UsageError unless only its user and root can have written the open file."""
    _require_owner(status, name)
    if status.st_mode & stat.S_IWOTH:
        raise UsageError(f"{name} can be written by everybody. Run: chmod o-w on it")


def require_own_folder(folder: Path, name: str) -> None:
    """Raises: UsageError unless `folder` is a place where others replace none of our files.

    The nearest folder that is there decides, for the rest will be made.
    """
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    status = there.stat()
    _require_owner(status, name)
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise UsageError(f"{name} can be written by everybody. Run: chmod o-w on it")


def is_seen_by_others(status: os.stat_result) -> bool:
    """Whether more than its owner can read a file."""
    return bool(stat.S_IMODE(status.st_mode) & _OTHERS)


def _require_owner(status: os.stat_result, name: str) -> None:
    if status.st_uid not in {0, os.geteuid()}:
        raise UsageError(
            f"{name} belongs to the user with the id {status.st_uid}, and this is run by"
            f" {os.geteuid()}: it is not trusted. Set HOME, or name a file of your own with"
            " --config-file"
        )
