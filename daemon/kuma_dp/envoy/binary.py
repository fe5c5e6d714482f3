"""Envoy's executable: where it is, and whether it is new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from kuma_dp.errors import NotMendedByWaitingError

OLDEST: Final = (1, 33)  # what Kuma 2.10 comes with
VERSION_SECONDS_MAX: Final = 30.0  # for `envoy --version`, on a machine that has just started
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


async def version_of(path: str) -> EnvoyVersion:
    """What `path --version` says.

    Raises: NotMendedByWaitingError (`envoy-unusable`, `envoy-too-old`).
    """
    said = ""
    try:
        with trio.move_on_after(VERSION_SECONDS_MAX):
            done = await trio.run_process(
                [path, "--version"], capture_stdout=True, stderr=subprocess.DEVNULL, check=False
            )
            said = done.stdout.decode(errors="replace")
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be run") from None
    return read_version(said, path)


def read_version(said: str, path: str) -> EnvoyVersion:
    """The version in what `path` said. Raises as `version_of`."""
    line = _VERSION_LINE.search(said)
    parts = line[1].split("/") if line else []
    number = _VERSION.fullmatch(parts[1]) if len(parts) == 5 else None
    if line is None or number is None:
        raise _unusable(path, "it does not say its version as Envoy does")
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
