"""The service of the package on this machine, and asking a command in its place.

What the service would find can only be judged as systemd would start it: with the user, the
environment, the credential and the view of the files that its unit and drop-ins give it. So the
same command runs once more, in a unit of its own with those properties.
"""

from __future__ import annotations

import grp
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.host.ownership import user_name

if TYPE_CHECKING:
    import subprocess
else:  # only beside a service
    subprocess = lazy_import("subprocess")

UNIT: Final = "kong-mesh-cp.service"
SOCKET_UNIT: Final = "kong-mesh-cp-admission.socket"
UNIT_FOLDERS: Final = tuple(
    Path(folder)
    for folder in (
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    )
)
RUNS_SYSTEMD: Final = Path("/run/systemd/system")  # sd_booted(3)
THIS_ENVIRONMENT: Final = "--this-environment"
EXIT_UNKNOWN: Final = 7
STATUS_OF_SYSTEMD_MIN: Final = 200  # systemd.exec(5): the program was not reached
EXIT_REFUSED: Final = 1  # also of systemd-run itself, which then says nothing on stdout

# What makes a difference to what a start finds.
_PROPERTIES: Final = frozenset(
    {
        *("User", "Group", "SupplementaryGroups", "Environment", "EnvironmentFile"),
        *("StateDirectory", "LoadCredential", "SetCredential"),
        *("ProtectHome", "PrivateTmp", "BindReadOnlyPaths"),
    }
)
_FLAGS: Final = ("--config-file", "-c", "--license-keyring")
_CREDENTIAL: Final = re.compile(r"/run/credentials/[^/ ]*/license")
_LISTENS_AT: Final = re.compile(r"^ListenStream=(/\S*)[ \t]*$", re.MULTILINE)


class UnknownError(ControlPlaneError):
    """Nobody could be asked who knows. Not a verdict: neither yes nor no."""

    exit_status = EXIT_UNKNOWN


def is_installed() -> bool:
    """Whether this machine has the service, running or not, and this process is not in it."""
    return any((folder / UNIT).exists() for folder in UNIT_FOLDERS) and not _is_inside()


def can_be_asked() -> bool:
    """Whether `ask_as_service` is for this user, on this machine."""
    return RUNS_SYSTEMD.is_dir() and os.geteuid() == 0


def socket_path() -> Path | None:
    """Where the unit of the admission socket listens; None without such a unit."""
    found: list[str] = []
    for folder in reversed(UNIT_FOLDERS):
        files = [folder / SOCKET_UNIT, *sorted((folder / f"{SOCKET_UNIT}.d").glob("*.conf"))]
        for file in files:
            try:
                found += _LISTENS_AT.findall(file.read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue
    return Path(found[-1]) if found else None


def ask_as_service(words: Sequence[str]) -> int:
    """Run `kong-mesh-cp WORDS --this-environment` as systemd would start the service.

    Prints what it prints. Returns its exit status. Raises: UnknownError.
    """
    if not RUNS_SYSTEMD.is_dir():
        raise UnknownError(
            f"{UNIT} is installed, but systemd does not run here, so nobody knows what the service"
            " would find",
            code="service-unknown",
            hint=f"Ask where it runs, or judge this shell's own environment with"
            f" {THIS_ENVIRONMENT}.",
        )
    unit = _unit_text()
    if os.geteuid() != 0:
        raise _not_root(unit)
    done = subprocess.run(_command(unit, words), capture_output=True, text=True, check=False)
    origin = _credential_origin(unit)
    if done.returncode >= STATUS_OF_SYSTEMD_MIN or (
        done.returncode == EXIT_REFUSED and not done.stdout and not done.stderr.startswith("kong")
    ):
        raise UnknownError(
            f"systemd could not judge as {UNIT} (status {done.returncode}):"
            f" {printable(done.stderr.strip())}",
            code="service-unknown",
            hint=f"See what the unit says: systemctl cat {UNIT}",
        )
    print(f"asked: {UNIT}, as systemd would start it now", file=sys.stderr)
    # The credential is a copy; the file to mend is the one it was made from.
    print(_CREDENTIAL.sub(lambda _: origin, done.stdout), end="")
    print(_CREDENTIAL.sub(lambda _: origin, done.stderr), end="", file=sys.stderr)
    return done.returncode


def closed_to_user(path: Path, what: str) -> UnknownError:
    """`path` is there, and this user may not open it."""
    return UnknownError(
        f"user {user_name(os.geteuid())} may not {_denied(path)}, {what}",
        code="service-closed",
        hint="Run it as root (sudo).",
    )


def _is_inside() -> bool:
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return f"/{UNIT}" in groups


def _unit_text() -> str:
    """The unit and its drop-ins, in their order, as one text without continued lines."""
    done = subprocess.run(["systemctl", "cat", UNIT], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnknownError(
            f"systemctl cat {UNIT} fails: {printable(done.stderr.strip())}",
            code="service-unknown",
            hint="Run: systemctl daemon-reload, and ask again.",
        )
    return re.sub(r"\\\n\s*", " ", done.stdout)


def _settings(unit: str) -> Iterator[tuple[str, str]]:
    for line in unit.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            yield name.strip(), value.strip()


def _command(unit: str, words: Sequence[str]) -> list[str]:
    command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect"]
    started: list[str] = []
    for name, value in _settings(unit):
        if name in _PROPERTIES:
            command.append(f"--property={name}={value}")
        elif name == "ExecStart" and value:
            started = value.split()
    program = started[0].lstrip("@-:+!") if started else "/usr/bin/kong-mesh-cp"
    flags = _flags_of(started, keyring=words[0] == "license")
    return [*command, program, *words, THIS_ENVIRONMENT, *flags]


def _flags_of(started: Sequence[str], *, keyring: bool) -> list[str]:
    """The flags of `run` that a judgement needs, too. `keyring`: the command knows of it."""
    flags: list[str] = []
    wanted = [flag for flag in _FLAGS if keyring or flag != "--license-keyring"]
    pending = ""
    for word in started[1:]:
        if pending:
            flags += [pending, word]
            pending = ""
        elif word in wanted:
            pending = word
        elif word.partition("=")[0] in wanted:
            flags.append(word)
    return flags


def _credential_origin(unit: str) -> str:
    loaded = [value for name, value in _settings(unit) if name == "LoadCredential"]
    names = [value.partition(":")[2] for value in loaded if value.startswith("license:")]
    return names[-1] if names else "the credential license"


def _not_root(unit: str) -> UnknownError:
    named = [
        *(value.lstrip("-") for name, value in _settings(unit) if name == "EnvironmentFile"),
        _credential_origin(unit),
    ]
    for path in map(Path, named):
        if path.is_absolute() and not os.access(path, os.R_OK) and not _is_missing(path):
            return closed_to_user(path, f"which {UNIT} is started with")
    return UnknownError(
        f"only root can have systemd judge as {UNIT} would be started",
        code="service-closed",
        hint="Run it as root (sudo).",
    )


def _is_missing(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _denied(path: Path) -> str:
    for folder in reversed(path.parents):
        if not os.access(folder, os.X_OK):
            return f"enter the folder {printable(folder)}{_owned(folder)}"
    verb = "open" if path.is_socket() else "read"
    return f"{verb} {printable(path)}{_owned(path)}"


def _owned(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f" ({stat.S_IMODE(status.st_mode):04o} {user_name(status.st_uid)}:{group})"
