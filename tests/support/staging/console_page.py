"""A page of the documentation as something to run: its files, its starts and its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.suites.patience import HANG_SECONDS

DOCS = Path(__file__).parents[3] / "docs"
SECONDS_MAX = HANG_SECONDS  # for one command

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"# ([a-z-]+\.(?:yaml|toml))\n")
_START = re.compile(r"((?:\w+=\S+ )*)kong-mesh-cp run((?: \S+)*)")
_FUNCTION = re.compile(r"\w+\(\) \{ .+; \}")
_FILES = frozenset({"yaml", "toml"})


@dataclass(frozen=True)
class Command:
    line: str
    said: str  # `…` stands for anything within a line

    @property
    def start(self) -> tuple[dict[str, str], tuple[str, ...]] | None:
        """The environment and the flags of a daemon, if this starts one."""
        found = _START.fullmatch(self.line)
        if found is None:
            return None
        return dict(each.split("=", 1) for each in found[1].split()), tuple(found[2].split())

    @property
    def is_function(self) -> bool:
        """Whether it only names what later commands of its section do."""
        return _FUNCTION.fullmatch(self.line) is not None


def sections(name: str) -> Mapping[str, str]:
    """Of docs/`name`, by heading."""
    page = (DOCS / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))


def languages(section: str) -> set[str]:
    return {language for language, _ in _BLOCK.findall(section)}


def files(section: str) -> Iterator[tuple[str, str]]:
    """The blocks that name the file they are."""
    for language, content in _BLOCK.findall(section):
        if language in _FILES:
            name = _NAMED.match(content)
            assert name, content
            yield name[1], content


def commands(section: str) -> list[Command]:
    shown = "".join(
        content for language, content in _BLOCK.findall(section) if language not in _FILES
    )
    return [
        Command(line, said)
        for line, said in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)
    ]


def fits(said: str, shown: str) -> bool:
    return re.fullmatch(re.escape(shown).replace("…", ".*"), said) is not None


def put_kumactl(folder: Path) -> None:
    """The kumactl of this checkout, where `run` looks for it."""
    tool = folder / "bin" / "kumactl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m kumactl "$@"\n')
    tool.chmod(0o755)


def put_daemon_command(folder: Path, socket: Path) -> None:
    """The program of this checkout, for commands that ask the daemon with this admission socket."""
    tool = folder / "bin" / "kong-mesh-cp"
    tool.write_text(
        f'#!/bin/sh\nKMESH_ADMISSION_SOCKET={socket} exec {sys.executable} -m kong_mesh_cp "$@"\n'
    )
    tool.chmod(0o755)


def run(home: Path, script: str, places: Mapping[str, str]) -> str:
    """What a shell says in `home`; `places` are written otherwise in the page than here."""
    for there, here in places.items():
        script = script.replace(there, here)
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=home,
        env={
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        },
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS_MAX,
    )
    return done.stdout.decode()
