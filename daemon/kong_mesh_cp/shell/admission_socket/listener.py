"""The admission socket itself: bound by us, or handed over by systemd."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.core.formats.printable import printable

DIRECTORY_MODE = 0o750
SOCKET_MODE = 0o660
SOCKET_GROUP = "kong-mesh"  # its members may ask for seats
PATH_BYTES_MAX = 103  # sun_path holds 107 and a NUL (unix(7)); four are for TEMPORARY_SUFFIX
TEMPORARY_SUFFIX = ".new"
BACKLOG = 4096  # clients that queue while we are busy; the kernel caps it at net.core.somaxconn

SYSTEMD_PID = 1
_BESIDE_THE_SERVICE = (
    "It is the service kong-mesh-cp, for which systemd holds the socket. To have it start anew:"
    " systemctl restart kong-mesh-cp. To run this one in its place: systemctl stop"
    " kong-mesh-cp.service kong-mesh-cp-admission.socket. To run both, set KMESH_ADMISSION_SOCKET,"
    " KUMA_GENERAL_WORK_DIR and the ports."
)

_UCRED = struct.Struct("3i")  # struct ucred of socket(7): pid, uid, gid


@contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """Listen on a Unix socket at `path`; take it away again at the end, if it is still ours.

    The socket appears with its final mode and already listening: it is made under a temporary
    name and renamed. A socket without a listener is replaced.
    Raises: ListenError if a live process owns it, if `path` is something else, or cannot be used.
    """
    try:
        _require_short(path)
        _make_directory(path.parent)
        _require_free(path)
        listener = _listen(path)
    except OSError as error:
        raise ListenError(
            f"the admission socket {printable(path)} cannot be made: {error.strerror}",
            code="socket-unusable",
            hint="Make its directory writable for the user of kong-mesh-cp, or set another path "
            "with KMESH_ADMISSION_SOCKET.",
        ) from error
    with listener:
        ours = _inode(path)
        try:
            yield listener
        finally:
            if ours is not None and _inode(path) == ours:
                path.unlink(missing_ok=True)


def require_free(path: Path) -> None:
    """Refuses a start before anything is made for it. Raises: ListenError as `bound`."""
    with suppress(OSError):  # what else is wrong with the path is told when it is bound
        _require_free(path)


def adopted(listener: socket.socket) -> socket.socket:
    """A socket of the service manager, if it can serve as admission socket. Raises: ListenError."""
    listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listener.family != socket.AF_UNIX or listener.type != socket.SOCK_STREAM or not listening:
        raise ListenError(
            "the socket that systemd handed over for admissions is no listening Unix stream socket",
            code="socket-unusable",
            hint="Use ListenStream=/path and Accept=no in kong-mesh-cp-admission.socket.",
        )
    listener.setblocking(False)
    return listener


def is_served(path: Path) -> bool:
    """Whether somebody listens at `path`, as far as this user can tell."""
    try:
        return _owner(path) is not None
    except OSError:
        return True  # something is there, and does not let us look


def group_of_clients() -> int | None:
    """The group whose members may ask for seats; None where there is none of its name."""
    try:
        return grp.getgrnam(SOCKET_GROUP).gr_gid
    except KeyError:
        return None


def open_to(path: str) -> str | None:
    """Who may open the socket at `path` beside its owner and root, in words; None: no others."""
    try:
        found = Path(path).lstat()
    except (OSError, ValueError):
        return None  # what is not there has no mode, nor has an abstract socket
    if found.st_mode & stat.S_IWOTH:
        return "everybody on this machine"
    if not found.st_mode & stat.S_IWGRP:
        return None
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return f"every member of the group {printable(group)}"


def _require_short(path: Path) -> None:
    length = len(os.fsencode(path))
    if length > PATH_BYTES_MAX:
        raise ListenError(
            f"the path of the admission socket has {length} bytes: {printable(path)}",
            code="socket-path-too-long",
            hint=f"A Unix socket here may have {PATH_BYTES_MAX}. "
            "Set a shorter path with KMESH_ADMISSION_SOCKET.",
        )


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=DIRECTORY_MODE, parents=True)
    except FileExistsError:
        return
    _share_with_group(directory, DIRECTORY_MODE)


def _require_free(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(
            f"{printable(path)} exists and is no socket",
            code="socket-path-taken",
            hint="Move it away, or set another path with KMESH_ADMISSION_SOCKET.",
        )
    owner = _owner(path)
    if owner is not None:
        raise ListenError(
            f"the admission socket {printable(path)} is owned by {owner.words}",
            code="socket-in-use",
            hint=_BESIDE_THE_SERVICE
            if owner.pid == SYSTEMD_PID
            else "Stop that process, or set another path with KMESH_ADMISSION_SOCKET.",
        )


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who listens on a socket: its pid, where that is known, and how sentences call it."""

    pid: int | None
    words: str


def _owner(path: Path) -> _Owner | None:
    """The process that listens at `path`; None when there is none any more."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except BlockingIOError:
            return _Owner(None, "a process that does not answer: its queue of connections is full")
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                return _Owner(None, "a process that listens for datagrams")
            raise
        pid, uid, _ = _UCRED.unpack(
            probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
    return _Owner(pid, f"process {pid} ({_command(pid)}) of uid {uid}")


def _command(pid: int) -> str:
    try:
        return printable(Path(f"/proc/{pid}/comm").read_text(errors="replace").strip())
    except OSError:
        return "name not visible"


def _listen(path: Path) -> socket.socket:
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    temporary.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.setblocking(False)
        listener.bind(str(temporary))
        _share_with_group(temporary, SOCKET_MODE)
        listener.listen(BACKLOG)
        temporary.rename(path)
    except OSError:
        listener.close()
        temporary.unlink(missing_ok=True)
        raise
    return listener


def _share_with_group(path: Path, mode: int) -> None:
    # No such group here, or we are not in it: then it is ours and root's alone.
    with suppress(KeyError, PermissionError):
        os.chown(path, -1, grp.getgrnam(SOCKET_GROUP).gr_gid)
    # After the chown, which may clear bits; and against the umask.
    path.chmod(mode)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
