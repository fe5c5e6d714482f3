"""What systemd says through the environment: sd_notify(3), sd_listen_fds(3), systemd.exec(5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Set by the unit, not by operators: not a setting, so not named like one.
ORIGIN_VARIABLE = "LICENSE_CREDENTIAL_ORIGIN"
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironment:
    """The facts of this start that the service manager gave. All absent without one."""

    notified: bool  # NOTIFY_SOCKET is set: somebody reads READY=1 and STATUS=
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
            notified=bool(environ.get("NOTIFY_SOCKET")),
            watchdog_seconds=_watchdog_seconds(environ, pid),
            socket_names=_socket_names(environ, pid),
            credentials_directory=Path(credentials) if credentials else None,
            credential_origin=Path(origin) if origin else None,
            journal_stream=environ.get("JOURNAL_STREAM", ""),
        )


def _watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / MICROSECONDS


def _socket_names(environ: Mapping[str, str], pid: int) -> tuple[str, ...]:
    count = environ.get("LISTEN_FDS", "")
    if not count.isdecimal() or environ.get("LISTEN_PID") != str(pid):
        return ()
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    return tuple(names[i] if i < len(names) else "unknown" for i in range(int(count)))
