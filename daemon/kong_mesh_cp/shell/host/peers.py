"""Who is at the other end of a Unix socket: the kernel's word, and what /proc adds to it.

The danger is a reused process id: the process that connected ends, another one gets its number,
and /proc answers for the wrong one. A pidfd stands for one process for ever, so what is read
between two looks at a living pidfd belongs to that process. Kernels before 6.5 give none for a
socket; there the start time of the process, read before and after, takes its place. It notices a
number that changes hands while we read, but not one that had changed hands before.

Not covered: a process that passes its connection to another one stays the peer for the kernel.
"""

from __future__ import annotations

import grp
import os
import pwd
import select
import socket
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from kong_mesh_cp.core.admission.attestation import (
    AttestedPeer,
    InUnit,
    NoUnit,
    UnitSight,
    UnitUnseen,
)
from kong_mesh_cp.core.admission.cgroup import unit_of
from kong_mesh_cp.shell.listening.peer import Credentials

PROC = Path("/proc")
NAMES_SECONDS_MAX = 2.0  # for user and group names: a directory service may hang
GROUPS_MAX = 256  # supplementary groups that are looked at (a limit of Python's getsockopt)

_SO_PEERGROUPS = 59  # asm-generic/socket.h
_SO_PEERPIDFD = 77  # since Linux 6.5
_GID = struct.Struct("=I")
_START_TIME = 19  # proc_pid_stat(5): field 22, counted from the field after the command name

_ENDED = UnitUnseen(
    "the process ended while it was looked at",
    "The process that connects has to live for as long as it holds its seat.",
)
_FOREIGN = UnitUnseen(
    "the process runs in another pid namespace",
    "Run it on the host, or write a rule with uid or gid instead of unit.",
)
_HIDDEN = UnitUnseen(
    "/proc hides the process from kong-mesh-cp",
    "Set ProtectProc=default in the unit of kong-mesh-cp (and mount /proc without hidepid), "
    "or write rules with uid or gid instead of unit.",
)


class SocketPeer:
    """A `PeerAttestor` for one connected Unix socket, which it does not own."""

    __slots__ = ("_connection", "_credentials")

    def __init__(self, connection: socket.socket, credentials: Credentials) -> None:
        self._connection = connection
        self._credentials = credentials

    @property
    def pid(self) -> int:
        return self._credentials.pid

    @property
    def uid(self) -> int:
        return self._credentials.uid

    async def attest(self, *, names: bool) -> AttestedPeer:
        gids = self._gids()
        user: str | None = None
        groups: frozenset[str] = frozenset()
        if names:
            # The databases may be on the network (sssd, LDAP): never on the event loop.
            with trio.move_on_after(NAMES_SECONDS_MAX):
                user, groups = await trio.to_thread.run_sync(
                    partial(_names, self.uid, gids), abandon_on_cancel=True
                )
        # After the one await: what is said of the unit holds at the moment of the decision.
        return AttestedPeer(
            pid=self.pid,
            uid=self.uid,
            gid=self._credentials.gid,
            gids=gids,
            unit=self._unit(),
            user=user,
            groups=groups,
        )

    def gone(self) -> bool:
        return _at_eof(self._connection) or self._process_ended()

    def _gids(self) -> frozenset[int]:
        try:
            packed = self._connection.getsockopt(
                socket.SOL_SOCKET, _SO_PEERGROUPS, GROUPS_MAX * _GID.size
            )
        except OSError:
            return frozenset({self._credentials.gid})
        return frozenset({self._credentials.gid, *(gid for (gid,) in _GID.iter_unpack(packed))})

    def _unit(self) -> UnitSight:
        try:
            pidfd = self._pidfd()
        except ProcessLookupError:
            return _ENDED
        if pidfd is None:
            return unit_by_start_time(self.pid)
        try:
            return unit_while(partial(_alive, pidfd), self.pid)
        finally:
            os.close(pidfd)

    def _process_ended(self) -> bool:
        try:
            pidfd = self._pidfd()
        except ProcessLookupError:
            return True
        if pidfd is None:
            return self.pid > 0 and not _exists(self.pid)
        try:
            return not _alive(pidfd)
        finally:
            os.close(pidfd)

    def _pidfd(self) -> int | None:
        """A new descriptor for the peer's process; None where the kernel has none to give.

        Raises: ProcessLookupError when the process has ended and been reaped.
        """
        try:
            return self._connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
        except ProcessLookupError:
            raise
        except OSError:
            return None


def unit_while(alive: Callable[[], bool], pid: int, proc: Path = PROC) -> UnitSight:
    """The unit of process `pid`, read between two calls of `alive` for that very process."""
    if pid <= 0:
        return _FOREIGN
    if not alive():
        return _ENDED
    try:
        cgroup = (proc / str(pid) / "cgroup").read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        # Alive, and yet not there: /proc is mounted so that we do not see it.
        return _HIDDEN if alive() else _ENDED
    if not alive():
        return _ENDED
    unit = unit_of(os.fsdecode(cgroup))
    return InUnit(unit) if unit else NoUnit()


def unit_by_start_time(pid: int, proc: Path = PROC) -> UnitSight:
    """The unit of process `pid` where there are no pidfds for sockets."""
    if pid <= 0:
        return _FOREIGN
    started = _start_time(pid, proc)
    if started is None:
        return _HIDDEN if _exists(pid) else _ENDED
    return unit_while(lambda: _start_time(pid, proc) == started, pid, proc)


def _start_time(pid: int, proc: Path) -> bytes | None:
    try:
        stat = (proc / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return None
    # The command name stands in parentheses and may hold spaces and parentheses itself.
    return stat.rpartition(b") ")[2].split()[_START_TIME]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _alive(pidfd: int) -> bool:
    # pidfd_open(2): readable once the process has terminated.
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return not poll.poll(0)


def _at_eof(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True  # reset, or closed by ourselves: no peer is there


def _names(uid: int, gids: frozenset[int]) -> tuple[str | None, frozenset[str]]:
    try:
        user: str | None = pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        user = None
    return user, frozenset(name for gid in gids if (name := _group_name(gid)) is not None)


def _group_name(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OSError):
        return None
