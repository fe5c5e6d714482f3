"""Reads and writes the key and certificate files that a user names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

from kumactl.errors import KumactlError, UsageError

FILE_BYTES_MAX: Final = 64 * 1024
SECRET_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644


def read(path: Path, *, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """The content of a key file, or of one that may be larger. Raises: UsageError."""
    try:
        with path.open("rb") as file:
            return read_stream(file, repr(str(path)), bytes_max=bytes_max)
    except (OSError, ValueError) as error:
        raise UsageError(f"could not read {str(path)!r}: {_reason(error)}") from None


def read_stream(stream: BinaryIO, name: str, *, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """All that is in `stream`, which errors call `name`. Raises: UsageError; OSError."""
    content = stream.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise UsageError(f"{name} is larger than {bytes_max} bytes, which nothing of its kind is")
    return content


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a new file with `mode` from its first byte on. A file that exists is not touched.

    Raises: KumactlError.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        raise KumactlError(f"could not write {str(path)!r}: {_reason(error)}") from None


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is no possible path"
