"""Ownership checks: files that decide whom to trust belong to root or to this user.

The file that was opened is checked, so that nothing can be put in its place in between. Links are
followed for files that an operator names: credential mounts and configuration tools use them.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from kong_mesh_cp.core.formats.printable import printable


def distrust(status: os.stat_result, *also_of: int) -> str | None:
    """Why an open file is not to be believed, as `it …`; None: it may be.

    `also_of`: uids of users who may have written it, too.
    """
    if status.st_mode & stat.S_IWOTH:
        return "may be written by everybody"
    if status.st_uid not in {0, os.geteuid(), *also_of}:
        owner = user_name(status.st_uid)
        return f"belongs to {owner}"
    return None


def exposure(path: Path) -> str | None:
    """That everybody can read the secret in `path`, with the command against it; None: not so."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None  # reading it says what is wrong
    if not mode & stat.S_IROTH:
        return None
    name = printable(path)
    return f"{name} can be read by everybody (mode {mode:04o}). Run: chmod o-r {name}"


def user_name(uid: int) -> str:
    """By name where there is one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
