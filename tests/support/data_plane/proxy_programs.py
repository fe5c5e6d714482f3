"""`kuma-dp` as a unit runs it: its process, what it says, the Envoy that it has started."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from support.daemons.daemon import Daemon, eventually, free_port
from support.data_plane.envoy_stage import Proxy, Stage, StagedMesh, is_configured
from support.data_plane.real_envoy import Envoy
from support.suites.patience import HANG_SECONDS

KIB_PER_PAGE = 4


class KumaDp(Daemon):
    """`kuma-dp run` with a work folder, a notify socket and an environment of its own."""

    def __init__(self, directory: Path, *flags: str, environment: Mapping[str, str]) -> None:
        super().__init__(directory, *flags)
        self.environment = {
            "PATH": os.environ["PATH"],
            "RUNTIME_DIRECTORY": str(self.socket.parent),
            **environment,
        }
        self.socket.parent.mkdir()

    @property
    def command(self) -> tuple[str, ...]:
        return ("-m", "kuma_dp", "run")

    @property
    def envoy_pid(self) -> int:
        """Of the Envoy that it has started last."""
        found = re.findall(r"envoy-started: pid (\d+)", self.stderr)
        assert found, self.stderr
        return int(found[-1])

    @property
    def resident_kib(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * KIB_PER_PAGE

    def codes(self) -> list[str]:
        """The codes of the lines that are its own, in order."""
        return re.findall(r"^\S+ \w+ +([a-z]+(?:-[a-z0-9]+)+): ", self.stderr, re.MULTILINE)


def is_running(pid: int) -> bool:
    """Whether a process is there, and more than its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def flags_of(
    stage: StagedMesh, proxy: Proxy, folder: Path, *flags: str, socket: Path | None = None
) -> tuple[str, ...]:
    """Of a proxy that brings its Dataplane, with a token file or the admission socket."""
    folder.mkdir(parents=True, exist_ok=True)
    dataplane, token = folder / "dataplane.yaml", folder / "token"
    dataplane.write_text(json.dumps(proxy.resource))
    token.write_text(stage.token(proxy.mesh))
    credential = ("--dataplane-token-file", str(token))
    if socket is not None:
        credential = ("--admission-socket", str(socket))
    return (
        *("--cp-address", f"https://127.0.0.1:{stage.port}"),
        *("--binary-path", str(proxy.envoy.binary), "--concurrency", "1"),
        *("--dataplane-file", str(dataplane), "--drain-time", "1s"),
        *credential,
        *flags,
    )


@contextlib.contextmanager
def running_program(
    program: Sequence[str],
    flags: Sequence[str],
    envoy: Envoy,
    is_ready: Callable[[], bool],
    **environ: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """`program`, a kuma-dp of whomever, with `envoy`, in whose folder it runs. It ends when it is
    asked to.
    """
    environment = {"KUMA_READINESS_PORT": str(free_port()), "PATH": os.environ["PATH"], **environ}
    with (envoy.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, "run", *flags],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=envoy.folder,
        )

    def has_started() -> bool:
        assert process.poll() is None, envoy.log
        try:
            return is_ready()
        except OSError:
            return False

    try:
        eventually("its Envoy is configured", has_started)
        yield process
        process.terminate()
        assert process.wait(HANG_SECONDS) == 0, envoy.log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(HANG_SECONDS)


def kuma_dp(
    stage: Stage, proxy: Proxy, folder: Path, *flags: str, socket: bool = False, **environ: str
) -> KumaDp:
    """One that is not started. Whoever makes it closes it."""
    own = folder / f"{proxy.name}-dp"
    environment = {"KUMA_READINESS_PORT": str(free_port()), **environ}
    admission = stage.daemon.socket if socket else None
    said = flags_of(stage, proxy, own, *flags, socket=admission)
    return KumaDp(own, *said, environment=environment)


def serving(program: KumaDp, proxy: Proxy) -> KumaDp:
    """Start it, and wait until it says that it is ready; then its listeners are there."""
    program.start()
    eventually(f"{proxy.name} is configured", lambda: is_configured(proxy))
    return program
