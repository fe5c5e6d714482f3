"""Envoy's executable: where it is, and whether it is new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.errors import NotMendedByWaitingError

OLDEST: Final = (1, 33)  # what Kuma 2.10 comes with
VERSION_SECONDS_MAX: Final = 30.0  # for `envoy --version`, on a machine that has just started
END_SECONDS_MAX: Final = 5.0  # from its answer to its end
SAID_CHARACTERS_MAX: Final = 200  # of what is no version
_VERSION_LINE: Final = re.compile(r"version:\s*(\S+)")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.\d+.*")
_PACKAGE: Final = "Install the package kong-mesh-envoy, or give --binary-path."


@dataclass(frozen=True, slots=True)
class EnvoyVersion:
    """What an executable says of itself."""

    version: str  # 1.40.0
    build: str  # revision/version/status/type/TLS library


def find_envoy(given: str) -> str:
    """The path of the executable: as given or in PATH, here, or beside this program.

    Raises: NotMendedByWaitingError `envoy-missing`.
    """
    beside = Path(sys.argv[0]).absolute().parent
    for candidate in (given, "./envoy", str(beside / "envoy")):
        found = shutil.which(candidate)
        if found is not None:
            return str(Path(found).absolute())
    where = given if "/" in given else f"{given} in PATH"
    raise NotMendedByWaitingError(
        f"there is no executable {where}", code="envoy-missing", hint=_PACKAGE
    )


class AskedEnvoy:
    """An executable that is being asked for its version.

    It is asked early: it takes as long to answer as this program to be imported.
    """

    def __init__(self, path: str) -> None:
        """Ask `path`. Raises: NotMendedByWaitingError `envoy-unusable`."""
        self.path = path
        try:
            self._process = subprocess.Popen(
                [path, "--version"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # why it does not run, where it does not
            )
        except OSError as error:
            raise _unusable(path, error.strerror or "it cannot be run") from None
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self.answer = self._process.stdout.fileno()  # has something to read when it has answered

    def version(self) -> EnvoyVersion:
        """What it has answered. Waits for its end, which follows its answer; not for long.

        Raises: NotMendedByWaitingError (`envoy-unusable`, `envoy-too-old`).
        """
        try:
            said, _ = self._process.communicate(timeout=END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            said = b""
        finally:
            self.close()
        return read_version(said.decode(errors="replace"), self.path)

    def close(self) -> None:
        """End it, whether it has answered or not."""
        self._process.kill()
        self._process.communicate()


def read_version(said: str, path: str) -> EnvoyVersion:
    """The version in what `path` said. Raises as `AskedEnvoy.version`."""
    line = _VERSION_LINE.search(said)
    parts = line[1].split("/") if line else []
    number = _VERSION.fullmatch(parts[1]) if len(parts) == 5 else None
    if line is None or number is None:
        last = printable(said.strip().rpartition("\n")[2][:SAID_CHARACTERS_MAX]).rstrip(".")
        instead = f", but {last!r}" if last else ""
        raise _unusable(path, f"it does not say its version as Envoy does{instead}")
    if (int(number[1]), int(number[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NotMendedByWaitingError(
            f"{path} is Envoy {parts[1]}, which is too old: {oldest} is needed",
            code="envoy-too-old",
            hint=_PACKAGE,
        )
    return EnvoyVersion(parts[1], line[1])


def _unusable(path: str, reason: str) -> NotMendedByWaitingError:
    return NotMendedByWaitingError(
        f"{path} cannot be used as Envoy: {reason}", code="envoy-unusable", hint=_PACKAGE
    )
