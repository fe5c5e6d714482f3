"""What systemd hands over: sd_notify(3), sd_listen_fds(3), systemd.exec(5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass

ADMISSION_NAME = "admission"  # FileDescriptorName= of the socket unit
# Set by the unit, not by operators: not a setting, so not named like one.
ORIGIN_VARIABLE = "LICENSE_CREDENTIAL_ORIGIN"
MICROSECONDS = 1_000_000
DIGITS_MAX = 19  # more than 2**63 microseconds is no span of time
INHERITED_SOCKETS_MAX = 64  # far above what our socket unit hands over


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironment:
    """The facts of this start that the service manager gave. All absent without one."""

    watchdog_seconds: float | None  # systemd kills the process that is silent for this long
    socket_names: tuple[str, ...]  # one name per inherited listening descriptor, in order
    credentials_directory: Path | None
    credential_origin: Path | None  # the file that LoadCredential= copied, as our unit names it
    journal_stream: str  # device:inode of the journal's stream, "" without one

    @classmethod
    def read(cls, environ: Mapping[str, str], *, pid: int) -> ServiceEnvironment:
        """Variables addressed to another process (LISTEN_PID, WATCHDOG_PID) are not ours."""
        origin = environ.get(ORIGIN_VARIABLE)
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        return cls(
            watchdog_seconds=_watchdog_seconds(environ, pid),
            socket_names=_socket_names(environ, pid),
            credentials_directory=Path(credentials) if credentials else None,
            credential_origin=Path(origin) if origin else None,
            journal_stream=environ.get("JOURNAL_STREAM", ""),
        )


def _watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = _number(environ.get("WATCHDOG_USEC", ""))
    return microseconds / MICROSECONDS if microseconds else None


def _socket_names(environ: Mapping[str, str], pid: int) -> tuple[str, ...]:
    if environ.get("LISTEN_PID") != str(pid):
        return ()
    count = min(_number(environ.get("LISTEN_FDS", "")), INHERITED_SOCKETS_MAX)
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    return tuple(names[i] if i < len(names) and names[i] else "unknown" for i in range(count))


def _number(text: str) -> int:
    """0 for what the service manager does not write."""
    usable = text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX
    return int(text) if usable else 0
