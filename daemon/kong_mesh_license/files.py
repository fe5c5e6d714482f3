"""Reads and writes the few small files of a vendor: keys, keyrings, licenses."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kong_mesh_license.errors import VendorToolError

FILE_BYTES_MAX = 64 * 1024
SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a file, and who else can change or read it."""

    content: bytes = field(repr=False)
    is_seen_by_others: bool
    is_changed_by_others: bool  # by everybody, or by an owner that is neither this user nor root


def read(path: Path, what: str) -> bytes:
    """The content of `path`. Raises: VendorToolError `file-unusable`, `file-too-large`."""
    return find(path, what).content


def find(path: Path, what: str) -> Found:
    """As `read`, with what is known of the file that was opened."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise _unusable(path, what, error) from None
    _require_small(content, path, what)
    foreign = status.st_uid not in {0, os.geteuid()}
    return Found(
        content,
        is_seen_by_others=bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)),
        is_changed_by_others=bool(status.st_mode & stat.S_IWOTH) or foreign,
    )


def read_stdin(stream: BinaryIO, what: str) -> bytes:
    """All of standard input. Raises: VendorToolError `file-too-large`."""
    content = stream.read(FILE_BYTES_MAX + 1)
    _require_small(content, Path("standard input"), what)
    return content


def _require_small(content: bytes, path: Path, what: str) -> None:
    if len(content) > FILE_BYTES_MAX:
        raise VendorToolError(
            f"the {what} {_shown(path)} is larger than {FILE_BYTES_MAX} bytes",
            code="file-too-large",
            hint="Check that this is the right file.",
        )


def create(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that must not exist yet. Raises: VendorToolError `file-exists` or `-unwritable`.

    The mode holds from the first byte on, whatever the umask would have added.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise VendorToolError(
            f"{_shown(path)} exists and is never overwritten",
            code="file-exists",
            hint="Choose another name, or move that file away if it is no longer needed.",
        ) from None
    except (OSError, ValueError) as error:
        raise _unusable(path, "new file", error) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that may exist: readers see the old one or the whole new one, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    create(draft, content, mode=mode)
    try:
        draft.replace(path)
    except OSError as error:
        draft.unlink()
        raise _unusable(path, "file", error) from None


def _unusable(path: Path, what: str, error: OSError | ValueError) -> VendorToolError:
    reason = error.strerror if isinstance(error, OSError) else "it is no possible path"
    return VendorToolError(
        f"the {what} {_shown(path)} cannot be used: {reason}",
        code="file-unusable",
        hint="Check the path and its permissions.",
    )


def _shown(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else ascii(text)
