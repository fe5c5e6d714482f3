"""Reads the keyring: the one built into the package, or the one that the command line names."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import kong_mesh_cp
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.keyring import KEYRING_BYTES_MAX, Keyring
from kong_mesh_cp.shell.host.ownership import distrust

BUILT_IN = Path(kong_mesh_cp.__file__).with_name("keyring.json")


def read_keyring(override: Path | None = None) -> Keyring:
    """The trusted keys: those of `override` (the flag --license-keyring) or the built-in ones.

    Raises: ConfigurationError with `keyring-unreadable` or `keyring-invalid`, naming the file.
    Limits: reads at most KEYRING_BYTES_MAX + 1 bytes and never blocks on a FIFO or device.
    """
    path = override or BUILT_IN
    source = f"{printable(path)} (--license-keyring)" if override else printable(path)
    try:
        # The file that was opened is checked, so that nothing can be swapped in between.
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(source, "is not a regular file")
            # The one of the package is as good as the program that lies beside it.
            why = distrust(status, *([] if override else [status.st_uid]))
            if why is not None:
                raise _unreadable(source, f"{why}, who then could add trust")
            document = file.read(KEYRING_BYTES_MAX + 1)
    except OSError as error:
        raise _unreadable(source, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise _unreadable(source, "is no possible path") from None
    return Keyring.parse(document, source=source)


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)


def _unreadable(source: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"the keyring {source} {problem}",
        code="keyring-unreadable",
        hint="Name a keyring.json that belongs to root and that nobody else can write.",
    )
