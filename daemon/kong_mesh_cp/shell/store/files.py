"""Small files of the state directory: written whole or not at all, and for the right owner."""

from __future__ import annotations

import os
from pathlib import Path

from kong_mesh_cp.shell.host.reading import read_regular

FILE_MODE = 0o640  # the directory's group may look (check-restart, backups), others not
SMALL_FILE_BYTES_MAX = 4096


def replace_file(path: Path, content: bytes, *, mode: int = FILE_MODE) -> None:
    """Put `content` at `path`; a crash leaves the old or the new content. Raises: OSError.

    `mode` is that of a new file and the same for every replacement of one path.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    write_anew(temporary, content, mode=mode)
    temporary.replace(path)
    sync_directory(path.parent)


def write_anew(path: Path, content: bytes, *, mode: int) -> None:
    """A durable file at `path` for the owner of its folder; what was there is not written into.

    Not even by another name: a crash may have left a file with another mode, and another process a
    link to what root alone may write. Raises: OSError.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the mask of the process is
        give_to_owner(descriptor, path.parent)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def read_file(path: Path) -> bytes | None:
    """At most SMALL_FILE_BYTES_MAX + 1 bytes of `path`; None: there is no such file.

    Raises: OSError, also for a link and for what is no regular file.
    """
    try:
        content, _ = read_regular(path, SMALL_FILE_BYTES_MAX + 1, follow_links=False)
    except FileNotFoundError:
        return None
    return content


def sync_directory(directory: Path) -> None:
    """A new name is durable only when its directory is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner(descriptor: int, directory: Path) -> None:
    """What root makes in the daemon's directory is the daemon's, or it could not be used later."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
