"""Whether the key that seals secrets is where the next start looks for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.identity.secrets_at_rest import SecretKeyError, SecretKeys
from kong_mesh_cp.shell.store.secret_key import KEY_NAME, find_secret_keys, put_back_secret_keys

_REMEDY = (
    "Put it back from a backup; if there is none, the daemon still knows it and writes it again: "
    "systemctl reload kong-mesh-cp"
)

_Sight = tuple[object, ...]


class KeptKey:
    """The key of `held` in a state directory and among the credentials of the service.

    The files are read again only when they look other than before.
    """

    def __init__(
        self, directory: Path, credentials: Path | None, held: Callable[[], SecretKeys]
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._held = held
        self._seen: _Sight | None = None
        self._fault: StateError | None = None
        self._judging = threading.Lock()

    def look(self) -> StateError | None:
        seen = self._sight()
        if seen == self._seen:
            return self._fault
        with self._judging:
            self._fault = self._judged()
            self._seen = seen
            return self._fault

    def restore(self) -> None:
        """Write the file again where there is none. Raises: StateError."""
        put_back_secret_keys(self._directory, self._held())

    def _sight(self) -> _Sight:
        places = [self._directory / KEY_NAME]
        if self._credentials is not None:
            places.append(self._credentials / KEY_NAME)
        return (self._held().keys[0].id, *map(_look_of, places))

    def _judged(self) -> StateError | None:
        path, sealing = printable(self._directory / KEY_NAME), self._held().keys[0].id
        try:
            found = find_secret_keys(self._directory, self._credentials)
        except SecretKeyError as error:
            return StateError(error.message, code=error.code, hint=error.hint)
        if found is None:
            return StateError(
                f"the key that secrets are sealed with, {path}, is not there any more",
                code="secret-key-gone",
                hint=_REMEDY,
            )
        if all(key.id != sealing for key in found.keys):
            return StateError(
                f"{path} does not hold the key that secrets are sealed with ({sealing}) any more",
                code="secret-key-replaced",
                hint="Put that key back from a backup; if there is none, move the file away: the "
                "daemon still knows the key, and writes it again: systemctl reload kong-mesh-cp",
            )
        return None


def _look_of(path: Path) -> _Sight:
    try:
        found = os.lstat(path)
    except OSError:
        return ()
    return (
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )
