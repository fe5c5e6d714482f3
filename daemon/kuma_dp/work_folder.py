"""Where Envoy's configuration, its secrets and the sockets to it are: private, gone at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kuma_dp.errors import NotMendedByWaitingError

_MODE: Final = 0o600
_HINT: Final = "Give a folder that this user may write, with --config-dir or in TMPDIR."


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The folders of one run; both may be the same."""

    configuration: Path
    sockets: Path

    def write(self, name: str, content: bytes) -> str:
        """Write a file for this user alone, and return its path. It is there whole, or not at all.

        Raises: NotMendedByWaitingError `config-dir-unusable`.
        """
        path = self.configuration / name
        half = path.with_name(f".{name}.{os.getpid()}")
        try:
            half.unlink(missing_ok=True)
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            half.replace(path)  # Envoy looks again at what is moved into its place
        except OSError as error:
            raise _unusable(path, error) from None
        return str(path)


@contextmanager
def work_folder(config_dir: str, socket_dir: str, runtime_directory: str) -> Iterator[WorkFolder]:
    """The folders that were named, or one of our own that goes at the end.

    `runtime_directory` is $RUNTIME_DIRECTORY of systemd, which removes what a killed process left.
    Raises: NotMendedByWaitingError `config-dir-unusable`.
    """
    own: str | None = None
    try:
        if not (config_dir and socket_dir):
            parent = runtime_directory.partition(":")[0] or None
            own = tempfile.mkdtemp(prefix="kuma-dp-", dir=parent)
        configuration, sockets = Path(config_dir or own or ""), Path(socket_dir or own or "")
        for folder in (configuration, sockets):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(Path(config_dir or tempfile.gettempdir()), error) from None
    try:
        yield WorkFolder(configuration.absolute(), sockets.absolute())
    finally:
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)


def _unusable(path: Path, error: OSError) -> NotMendedByWaitingError:
    return NotMendedByWaitingError(
        f"{path} cannot be written: {error.strerror}", code="config-dir-unusable", hint=_HINT
    )
