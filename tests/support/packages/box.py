"""A throw-away machine: a real systemd, booted by systemd-nspawn over a cached Debian root.

What happens in it is gone with it: the root is the lower layer of an overlay. Everything is driven
from outside with nsenter, because `machinectl` and `systemctl -M` need a systemd on the host.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.suites.patience import HANG_SECONDS

BOOT_SECONDS_MAX = COMMAND_SECONDS_MAX = HANG_SECONDS
POWEROFF_SECONDS_MAX = 120.0  # then the box is ended by force, and no test fails for that
POLL_SECONDS = 0.1
NAMESPACES = ("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_PAGER": "cat",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_URLIFY": "0",
}


@dataclass(frozen=True)
class Outcome:
    """What a command in the box did."""

    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


class Box:
    """A booted system. Only `booted` makes one."""

    def __init__(self, root: Path, leader: int, notices: Notices) -> None:
        self.root = root
        self._leader = leader
        self._notices = notices

    def command(self, *argv: str) -> list[str]:
        """`argv` as a command of the host that runs in the box, with the box's environment."""
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        enter = ["nsenter", "-t", str(self._leader), *NAMESPACES, "--"]
        return [*enter, "env", "-i", *environment, *argv]

    def run(self, *argv: str, stdin: str = "") -> Outcome:
        """Run a program to its end. Raises subprocess.TimeoutExpired after COMMAND_SECONDS_MAX."""
        done = subprocess.run(
            self.command(*argv),
            input=stdin,
            text=True,
            capture_output=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str) -> str:
        """What `script` prints. It must succeed."""
        outcome = self.run("sh", "-ec", script)
        assert outcome.status == 0, f"{script!r} → {outcome.status}\n{outcome.text}"
        return outcome.stdout

    def write(self, path: str, content: str, *, mode: int = 0o644) -> None:
        """Put a file into the running system, as its root."""
        script = f"umask 077; mkdir -p {Path(path).parent}; cat > {path}; chmod {mode:o} {path}"
        assert self.run("sh", "-ec", script, stdin=content).status == 0

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, as `systemctl show` prints it."""
        return self.sh(f"systemctl show --value -p {name} {unit}").strip()

    def journal(self, unit: str) -> str:
        """The messages of a unit so far, as `journalctl` prints them."""
        return self.sh(f"journalctl --sync; journalctl --no-pager -o short -u {unit}")

    def wait_for(
        self, what: str, condition: Callable[[], bool], *, seconds: float = HANG_SECONDS
    ) -> None:
        """Poll until `condition` holds. The deadline only bounds a failing test."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"still not after {seconds} s: {what}"
            time.sleep(POLL_SECONDS)


class Notices:
    """The socket on which the container says that it is up.

    It is read for the container's whole life: from systemd 256 on, PID 1 sends the state of every
    unit to it, blocking, and stops when nobody reads.
    """

    def __init__(self, address: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        self._socket.settimeout(POLL_SECONDS)
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, name="box notices")
        self.leader: int | None = None

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._reader.join()
        self._socket.close()

    def wait_ready(self, alive: Callable[[], bool]) -> bool:
        """Whether the system came up while `alive` and within BOOT_SECONDS_MAX."""
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while alive() and time.monotonic() < deadline:
            if self._ready.wait(POLL_SECONDS):
                return True
        return False

    def _read(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                for line in self._socket.recv(65536).decode(errors="replace").splitlines():
                    if line.startswith("X_NSPAWN_LEADER_PID="):
                        self.leader = int(line.partition("=")[2])
                    elif line == "READY=1":
                        self._ready.set()


@contextlib.contextmanager
def booted(root: Path, *, binds: Mapping[Path, str]) -> Iterator[Box]:
    """Boot `root` with each folder of `binds` shown read-only at its path; end it on exit.

    Resource handling: removes its overlay, its cgroups and every process in the box.
    """
    with contextlib.ExitStack() as stack:
        # A machine's name is a host name: not every name that mkdtemp makes would do.
        name = f"box-{uuid.uuid4().hex[:12]}"
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        stack.callback(shutil.rmtree, folder)
        merged = stack.enter_context(_overlay(root, folder))
        groups = stack.enter_context(_own_cgroups(name))
        notices = stack.enter_context(Notices(folder / "notify"))
        console = stack.enter_context((folder / "console.log").open("wb"))
        process = subprocess.Popen(
            [*_entering(groups), *_nspawn(merged, name, binds)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                "PATH": os.environ["PATH"],
                "NOTIFY_SOCKET": str(folder / "notify"),
                # A pure cgroup v2 tree, also on a host with the hybrid one.
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            },
        )
        stack.callback(_power_off, process, notices)
        if not notices.wait_ready(lambda: process.poll() is None) or notices.leader is None:
            said = (folder / "console.log").read_text(errors="replace")[-4000:]
            raise RuntimeError(f"the box did not boot:\n{said}")
        yield Box(merged, notices.leader, notices)


def _nspawn(root: Path, name: str, binds: Mapping[Path, str]) -> list[str]:
    options = (
        "--quiet --boot --register=no --keep-unit --notify-ready=yes --console=pipe "
        "--resolv-conf=off --timezone=off --link-journal=no --settings=no --private-network"
    )
    shown = [f"--bind-ro={source}:{target}" for source, target in binds.items()]
    return ["systemd-nspawn", *options.split(), f"--directory={root}", f"--machine={name}", *shown]


@contextlib.contextmanager
def _overlay(lower: Path, folder: Path) -> Iterator[Path]:
    merged, upper, work = (folder / name for name in ("root", "upper", "work"))
    for path in (merged, upper, work):
        path.mkdir()
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(merged)], check=True)
    try:
        yield merged
    finally:
        subprocess.run(["umount", "--lazy", str(merged)], check=True)


@contextlib.contextmanager
def _own_cgroups(name: str) -> Iterator[list[Path]]:
    """A cgroup in every hierarchy that systemd uses.

    With --keep-unit the container's tree hangs below the caller's cgroup: two containers from one
    cgroup would share a tree and stop each other's units.
    """
    top = Path("/sys/fs/cgroup")
    hierarchies = [path for path in (top / "unified", top / "systemd") if path.is_dir()] or [top]
    groups = [hierarchy / name for hierarchy in hierarchies]
    for group in groups:
        group.mkdir()
    try:
        yield groups
    finally:
        for group in groups:
            for folder, _, _ in sorted(os.walk(group), key=lambda entry: -len(entry[0])):
                _remove_cgroup(Path(folder))


def _remove_cgroup(group: Path) -> None:
    deadline = time.monotonic() + POWEROFF_SECONDS_MAX
    while group.exists():
        try:
            group.rmdir()
        except OSError:  # the kernel has not yet taken the last process out of it
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _entering(groups: list[Path]) -> list[str]:
    """The start of a command that moves itself into `groups` before it becomes the rest."""
    moves = "".join(f'echo $$ > "{group}/cgroup.procs"; ' for group in groups)
    return ["sh", "-ec", f'{moves}exec "$@"', "enter"]


def _power_off(process: subprocess.Popen[bytes], notices: Notices) -> None:
    if process.poll() is None and notices.leader is not None:
        os.kill(notices.leader, signal.SIGRTMIN + 4)  # systemd(1): an orderly power-off
    try:
        process.wait(POWEROFF_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        # Killing nspawn would leave PID 1 of the box behind; its own end ends all of the box.
        if notices.leader is not None:
            os.kill(notices.leader, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
