"""The sealing key of the store: a file beside it, or a credential.

systemd hands a credential over as `$CREDENTIALS_DIRECTORY/secret-key` (systemd.exec(5)); it can
be encrypted with the machine's TPM. It then seals, and the file beside the store, if there is
one, only opens what it has sealed before.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.identity.secrets_at_rest import (
    KEY_BYTES,
    KEY_FILE_BYTES_MAX,
    SecretKey,
    SecretKeyError,
    SecretKeys,
)
from kong_mesh_cp.shell.host.ownership import user_name
from kong_mesh_cp.shell.host.reading import read_regular
from kong_mesh_cp.shell.store.failures import directory_failure, own_user, reason
from kong_mesh_cp.shell.store.files import sync_directory, write_anew

log = logging.getLogger(__name__)

KEY_NAME: Final = "secret-key"  # of the file and of the credential
KEY_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def new_secret_key() -> SecretKey:
    return SecretKey(secrets.token_bytes(KEY_BYTES))


def load_secret_keys(
    state_directory: Path, credentials: Path | None, *, holds_sealed: bool
) -> SecretKeys:
    """The keys for the store in `state_directory`. Makes the file when there is no key yet.

    `credentials`: the folder that systemd names, if it does. `holds_sealed`: the store has sealed
    secrets, so a new key could open none of them and is not made. Raises: SecretKeyError;
    StateError when the file cannot be written.
    """
    path = state_directory / KEY_NAME
    found = find_secret_keys(state_directory, credentials)
    if found is not None:
        return found
    if holds_sealed:
        raise SecretKeyError(
            f"the store holds sealed secrets, but there is no key for them: neither"
            f" {printable(path)} nor the credential {KEY_NAME}",
            code="secret-key-missing",
            hint="Restore that file from a backup, or hand the key over with LoadCredential=.",
        )
    return _make(path)


def is_handed_over(credentials: Path | None) -> bool:
    """Whether a credential seals, which only who hands it over can change."""
    return credentials is not None and (credentials / KEY_NAME).exists()


def find_secret_keys(state_directory: Path, credentials: Path | None) -> SecretKeys | None:
    """The keys that are there; None: there is none. Changes nothing. Raises: SecretKeyError."""
    handed_over = None if credentials is None else _read(credentials / KEY_NAME, private=False)
    kept = _read(state_directory / KEY_NAME, private=True)
    if handed_over is None or kept is None:
        return handed_over or kept
    return _together(handed_over, kept)


def rotate_secret_key(state_directory: Path) -> SecretKeys:
    """Put a new key first in the file beside the store; the earlier ones stay, for opening.

    What is in the store has to be sealed anew before an old line may go. A crash leaves the old
    file or the new one. Raises: as above; SecretKeyError when there are too many, or there is no
    file.
    """
    path = state_directory / KEY_NAME
    kept = _read(path, private=True)
    if kept is None:
        raise SecretKeyError(
            f"there is no key to rotate in {printable(path)}",
            code="secret-key-missing",
            hint="Rotate a key that is handed over as a credential where it comes from.",
        )
    try:
        rotated = kept.rotated(new_secret_key())
    except ValueError as error:
        raise SecretKeyError(
            f"{printable(path)} has no room for another key: {error}",
            code="secret-key-full",
            hint="Run: kong-mesh-cp keys retire sealing",
        ) from None
    _replace(path, rotated)
    return rotated


def retire_secret_keys(state_directory: Path, in_use: str) -> tuple[str, ...]:
    """Take the keys behind the one with the id `in_use` out of the file beside the store; all of
    them where another place holds that one. The ids of those that went.

    Keys before it wait until they are to seal, and stay. Nothing in the store may be sealed with
    the others any more. Raises: SecretKeyError; StateError when the file cannot be written.
    """
    path = state_directory / KEY_NAME
    kept = _read(path, private=True)
    if kept is None:
        return ()
    ids = [key.id for key in kept.keys]
    last = ids.index(in_use) if in_use in ids else -1
    going = tuple(ids[last + 1 :])
    if not going:
        return ()
    if last < 0:
        try:
            path.unlink()
            sync_directory(path.parent)
        except OSError as error:
            raise directory_failure(error, path) from error
    else:
        _replace(path, SecretKeys(kept.keys[: last + 1]))
    return going


def _replace(path: Path, keys: SecretKeys) -> None:
    try:
        _write_beside(path, keys.document()).replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise directory_failure(error, path) from error


def put_back_secret_keys(state_directory: Path, keys: SecretKeys) -> None:
    """Write the file beside the store again, if there is none. Raises: StateError."""
    path = state_directory / KEY_NAME
    if not _put(path, keys):
        return
    log.warning("secret-key-put-back: the key of the secrets is in %s again", printable(path))


def _put(path: Path, keys: SecretKeys) -> bool:
    """Put `keys` at `path`, unless there is something; whether they were put."""
    try:
        temporary = _write_beside(path, keys.document())
        try:
            # Unlike a rename, a link never replaces: of two that start, one makes the key.
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise directory_failure(error, path) from error
    return True


def _make(path: Path) -> SecretKeys:
    made = SecretKeys((new_secret_key(),))
    _put(path, made)
    kept = _read(path, private=True)
    if kept == made:
        log.info(
            "secret-key-made: secrets are sealed with the key in %s. Keep a copy of that file "
            "apart from the backups of the store",
            printable(path),
        )
    return kept or made


def _write_beside(path: Path, content: bytes) -> Path:
    """A durable file for `content` only its owner can read, to be given the name `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_anew(temporary, content, mode=KEY_MODE)
    return temporary


def _read(path: Path, *, private: bool) -> SecretKeys | None:
    """`private`: no other user may read it. For a credential, systemd has seen to that."""
    try:
        content, found = read_regular(path, KEY_FILE_BYTES_MAX + 1, follow_links=not private)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretKeyError(
            f"{own_user()} cannot read the key of the secrets, {printable(path)}: {reason(error)}",
            code="secret-key-unreadable",
            hint=f"Give the file to {own_user()}: chown {own_user()} {printable(path)}",
        ) from None
    if private and found.st_uid not in {0, os.geteuid(), path.parent.stat().st_uid}:
        raise SecretKeyError(
            f"the key of the secrets, {printable(path)}, belongs to {user_name(found.st_uid)}, who"
            " can read it",
            code="secret-key-exposed",
            hint=f"Give the file to {own_user()}: chown {own_user()} {printable(path)}",
        )
    if private and stat.S_IMODE(found.st_mode) & _OTHERS:
        raise SecretKeyError(
            f"the key of the secrets, {printable(path)}, can be read by others "
            f"(mode {stat.S_IMODE(found.st_mode):04o})",
            code="secret-key-exposed",
            hint=f"Run: chmod 600 {printable(path)}",
        )
    if len(content) > KEY_FILE_BYTES_MAX:
        raise SecretKeyError(
            f"the key of the secrets, {printable(path)}, is larger than {KEY_FILE_BYTES_MAX} bytes",
            code="secret-key-invalid",
            hint="Restore it from a backup: without it no secret in the store can be read.",
        )
    return SecretKeys.parse(content, source=printable(path))


def _together(handed_over: SecretKeys, kept: SecretKeys) -> SecretKeys:
    try:
        return handed_over.and_those_of(kept)
    except ValueError as error:
        raise SecretKeyError(
            f"the credential {KEY_NAME} and the file beside the store hold too many keys: {error}",
            code="secret-key-full",
            hint="Take the last lines out once no secret is sealed with their keys.",
        ) from None
