"""The password of PostgreSQL, where it lies in a file. Needs neither psycopg nor libpq."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.host.reading import read_regular

CREDENTIAL_NAME: Final = "postgres-password"  # for LoadCredential=, systemd.exec(5)
PASSWORD_BYTES_MAX: Final = 1024


def find_password(path: Path) -> str | None:
    """As `read_password`; None: there is no such file."""
    return read_password(path) if path.exists() else None


def read_password(path: Path) -> str:
    """What `path` holds, without one line break at its end. Raises: ConfigurationError."""
    try:
        content, _ = read_regular(path, PASSWORD_BYTES_MAX + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None
    if len(content) > PASSWORD_BYTES_MAX:
        raise _unusable(path, f"is larger than {PASSWORD_BYTES_MAX} bytes")
    try:
        password = content.decode()
    except UnicodeDecodeError:
        raise _unusable(path, "is not UTF-8") from None
    password = password.removesuffix("\n").removesuffix("\r")
    if not password or not password.isprintable():
        raise _unusable(path, "holds no password, or more than one line")
    return password


def _unusable(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"the password of PostgreSQL in {printable(path)} cannot be used: it {problem}",
        code="store-password-file",
        hint="Write the password into it, and let the user of the daemon read it; or use "
        "KUMA_STORE_POSTGRES_PASSWORD.",
    )
