"""Files that a mesh names as its authority: users choose which, so little is done with one."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from kong_mesh_cp.usecases.resources.provided_authorities import FileUnreadableError

FILE_BYTES_MAX: Final = 1024 * 1024  # a chain has some KiB


def read_authority_file(path: str) -> bytes:
    """The content of a regular file. Raises: FileUnreadableError, in Go's words.

    Anything else is not even opened: opening a device can do something, and a FIFO would wait.
    """
    try:
        _require_regular(path, Path(path).stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _require_regular(path, os.fstat(descriptor))
            content = file.read(FILE_BYTES_MAX + 1)
    except ValueError:
        raise FileUnreadableError(f"open {path}: invalid argument") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown error"
        raise FileUnreadableError(f"open {path}: {reason[:1].lower()}{reason[1:]}") from None
    if len(content) > FILE_BYTES_MAX:
        raise FileUnreadableError(f"read {path}: has more than {FILE_BYTES_MAX} bytes")
    return content


def _require_regular(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FileUnreadableError(f"read {path}: is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise FileUnreadableError(f"open {path}: is no regular file")
