"""Reads a file that somebody else may have put there: never waits, and takes regular files only."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# A FIFO without a writer must not stop who reads, and a terminal must not become ours.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {
    stat.S_IFDIR: "it is a directory",
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


def read_regular(
    path: Path, bytes_max: int, *, follow_links: bool = True
) -> tuple[bytes, os.stat_result]:
    """At most `bytes_max` bytes of the file, and how the one that was opened looks.

    Raises: OSError, with a `strerror` that can be shown, also for what is no regular file;
    ValueError for what is no path.
    """
    descriptor = os.open(path, _FLAGS if follow_links else _FLAGS | os.O_NOFOLLOW)
    # Not by a file object: one that is refused (a directory is) would leave the descriptor open.
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "it is no regular file")
            raise OSError(errno.EINVAL, kind, os.fspath(path))
        chunks, missing = list[bytes](), bytes_max
        while missing and (chunk := os.read(descriptor, missing)):
            chunks.append(chunk)
            missing -= len(chunk)
    finally:
        os.close(descriptor)
    return b"".join(chunks), status
