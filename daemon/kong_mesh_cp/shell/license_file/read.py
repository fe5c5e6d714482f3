"""Reads one license file without ever blocking, and says what is wrong with the file itself."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shlex
import stat
from dataclasses import field
from pathlib import Path
from typing import NoReturn

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.document import LICENSE_BYTES_MAX
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError

_PUT_IT_THERE = "Put the license file there or correct the setting"
# NONBLOCK: opening a FIFO must not wait for its writer. NOCTTY: a terminal must not become ours.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class FileContent:
    """A license file's bytes and what an operator should know about the file itself."""

    document: bytes = field(repr=False)
    remarks: tuple[str, ...] = ()


def read_license_file(path: Path, *, source: str) -> FileContent:
    """Read a license file; `source` is how errors name it, e.g. `/etc/x.json (KMESH_LICENSE_PATH)`.

    Only a regular file is read. Symbolic links are followed, because credential mounts use them,
    and the file that was *opened* is checked. Never blocks on a FIFO, device or socket.
    Raises: LicenseRejectedError with path-not-found, unreadable, unsafe-permissions or too-large.
    Limits: reads at most LICENSE_BYTES_MAX + 1 bytes.
    """
    try:
        # Asked before opening as well: to open a device can already do something (a watchdog
        # starts to count, a tape rewinds). What counts is the second look, at the opened file.
        _require_regular(os.stat(path), path, source)  # noqa: PTH116 — beside os.open and os.fstat
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        _reject(error, path, source)
    except ValueError:  # a NUL inside, or text that no file system could hold
        raise LicenseRejectedError(
            Fault.PATH_NOT_FOUND, f"{source} is no possible path", hint=f"{_PUT_IT_THERE}."
        ) from None
    try:
        status = os.fstat(descriptor)
        _require_regular(status, path, source)
        _require_safe_mode(status, path, source)
        document = _read_at_most(descriptor, LICENSE_BYTES_MAX + 1)
    except OSError as error:
        _reject(error, path, source)
    finally:
        os.close(descriptor)
    if len(document) > LICENSE_BYTES_MAX:
        raise LicenseRejectedError(
            Fault.TOO_LARGE,
            f"{source} holds more than {LICENSE_BYTES_MAX // 1024} KiB",
            hint="A license has about 1 KiB: check that this is the license file.",
        )
    return FileContent(document, _remarks(status, path))


def _read_at_most(descriptor: int, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    missing = limit_bytes
    while missing and (chunk := os.read(descriptor, missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


_FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _require_regular(status: os.stat_result, path: Path, source: str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    what = _FILE_TYPES.get(stat.S_IFMT(status.st_mode), "no regular file")
    hint = "Write the license to a regular file and name that file."
    if stat.S_ISDIR(status.st_mode):
        hint = f"Name the file inside it, for example {printable(path / 'license.json')}."
    raise LicenseRejectedError(Fault.UNREADABLE, f"{source} is {what}, not a file", hint=hint)


def _require_safe_mode(status: os.stat_result, path: Path, source: str) -> None:
    if status.st_mode & stat.S_IWOTH:
        mode = stat.S_IMODE(status.st_mode)
        raise LicenseRejectedError(
            Fault.UNSAFE_PERMISSIONS,
            f"{source} may be written by everybody (mode {mode:04o})",
            hint=f"Check its content and run: chmod o-w {_quoted(path)}",
        )


def _remarks(status: os.stat_result, path: Path) -> tuple[str, ...]:
    """Untidy, but no reason to stop a mesh: the signature protects the content."""
    remarks: list[str] = []
    if status.st_mode & stat.S_IWGRP:
        group = _group(status.st_gid)
        remarks.append(f"may be written by group {group}. Tidy with: chmod g-w {_quoted(path)}")
    if status.st_mode & stat.S_IROTH:
        remarks.append(f"may be read by everybody. Tidy with: chmod o-r {_quoted(path)}")
    if status.st_uid not in (0, os.geteuid()):
        owner = _user(status.st_uid)
        remarks.append(f"belongs to user {owner}. Tidy with: chown root {_quoted(path)}")
    return tuple(remarks)


def _reject(error: OSError, path: Path, source: str) -> NoReturn:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            rejection = _not_found(path, source)
        case errno.ENAMETOOLONG:
            message = f"{source} is too long to be the path of a file"
            rejection = LicenseRejectedError(
                Fault.PATH_NOT_FOUND, message, hint=f"{_PUT_IT_THERE}."
            )
        case errno.EACCES | errno.EPERM:
            rejection = _forbidden(path, source)
        case errno.ELOOP:
            rejection = LicenseRejectedError(
                Fault.UNREADABLE,
                f"{source} is a symbolic link that leads back to itself",
                hint=f"See where it goes: namei -l {_quoted(path)}",
            )
        case _:
            rejection = LicenseRejectedError(
                Fault.UNREADABLE,
                f"{source} cannot be read: {error.strerror}",
                hint=f"Try it by hand: cat {_quoted(path)} >/dev/null",
            )
    raise rejection from None


def _not_found(path: Path, source: str) -> LicenseRejectedError:
    """Which step of the path is missing: a missing folder is another slip than a missing file."""
    hint = f"{_PUT_IT_THERE}."
    for folder in reversed(path.parents):
        if _is_dangling(folder):
            target = printable(folder.readlink())
            message = (
                f"{source} does not exist: {printable(folder)} links to {target}, which is missing"
            )
            return LicenseRejectedError(Fault.PATH_NOT_FOUND, message, hint=hint)
        if not os.path.exists(folder):  # noqa: PTH110 — Path.exists raises on EACCES
            message = f"{source} does not exist: there is no folder {printable(folder)}"
            return LicenseRejectedError(Fault.PATH_NOT_FOUND, message, hint=hint)
        if not os.path.isdir(folder):  # noqa: PTH112 — as above
            message = f"{source} does not exist: {printable(folder)} is a file, not a folder"
            return LicenseRejectedError(Fault.PATH_NOT_FOUND, message, hint=hint)
    if _is_dangling(path):
        target = printable(path.readlink())
        message = f"{source} is a symbolic link to {target}, which does not exist"
        return LicenseRejectedError(Fault.PATH_NOT_FOUND, message, hint=hint)
    return LicenseRejectedError(Fault.PATH_NOT_FOUND, f"{source} does not exist", hint=hint)


def _is_dangling(path: Path) -> bool:
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114


def _forbidden(path: Path, source: str) -> LicenseRejectedError:
    """Names who may not do what where, and the command that lets them."""
    user = _user(os.geteuid())
    # realpath, not Path.resolve: that one raises where links lead in a circle.
    for folder in reversed(Path(os.path.realpath(path)).parents):
        if not os.access(folder, os.X_OK):
            return LicenseRejectedError(
                Fault.UNREADABLE,
                f"{source} cannot be read: user {user} may not enter the folder"
                f" {printable(folder)}",
                hint=f"Move the file out of there, or run: chmod o+x {_quoted(folder)}",
            )
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        owned = ""
    else:
        mode = stat.S_IMODE(status.st_mode)
        owned = f" ({mode:04o} {_user(status.st_uid)}:{_group(status.st_gid)})"
    group, target = _group(os.getegid()), _quoted(path)
    return LicenseRejectedError(
        Fault.UNREADABLE,
        f"{source} cannot be read by user {user}{owned}",
        hint=f"Run: chgrp {shlex.quote(group)} {target} && chmod g+r {target}",
    )


def _quoted(path: Path) -> str:
    return shlex.quote(printable(path))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # no such line in passwd: containers, DynamicUser= gone
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
