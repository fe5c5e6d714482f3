"""The page on meshes is run: each section on a daemon of its own, from top to bottom."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.daemon import Daemon, eventually, running

PAGE = (Path(__file__).parents[2] / "docs" / "meshes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
API = "http://localhost:5681"
SOCKET = "/run/kong-mesh-cp/admission.sock"
SECONDS_MAX = 60  # for one command, only against hanging for ever

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_START = re.compile(r"((?:\w+=\S+ )+)kong-mesh-cp run")
_FUNCTION = re.compile(r"\w+\(\) \{ .+; \}")
_MADE_LAST = "inter-cp-ca"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
]


@dataclass(frozen=True)
class Command:
    line: str
    said: str  # `…` stands for anything within a line


def files(section: str) -> Iterator[tuple[str, str]]:
    """The blocks that name the file they are."""
    for language, content in _BLOCK.findall(section):
        if language == "yaml":
            name = re.match(r"# ([a-z]+\.yaml)\n", content)
            assert name, content
            yield name[1], content


def commands(section: str) -> list[Command]:
    shown = "".join(content for language, content in _BLOCK.findall(section) if language != "yaml")
    return [
        Command(line, said)
        for line, said in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)
    ]


def environment(section: str) -> dict[str, str]:
    """What the daemon is started with."""
    starts = [found for each in commands(section) if (found := _START.fullmatch(each.line))]
    assert len(starts) <= 1
    return dict(each.split("=", 1) for start in starts for each in start[1].split())


def fits(said: str, shown: str) -> bool:
    return re.fullmatch(re.escape(shown).replace("…", ".*"), said) is not None


def put_kumactl(folder: Path) -> None:
    """The kumactl of this checkout, where `run` looks for it."""
    tool = folder / "bin" / "kumactl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m kumactl "$@"\n')
    tool.chmod(0o755)


def run(daemon: Daemon, home: Path, script: str) -> str:
    here = script.replace(API, daemon.addresses["api"]).replace(SOCKET, str(daemon.socket))
    done = subprocess.run(
        ["sh", "-c", here],
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


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_does_what_it_says(tmp_path: Path, heading: str) -> None:
    section = SECTIONS[heading]
    home = tmp_path / "home"
    home.mkdir()
    put_kumactl(home)
    for name, content in files(section):
        (home / name).write_text(content)
    with running(tmp_path / "daemon", environment=environment(section)) as daemon:
        eventually("what a start makes", lambda: _MADE_LAST in global_secrets(daemon))
        run(daemon, home, f"kumactl config control-planes add --name here --address {API}")
        functions = ""
        for command in commands(section):
            if _START.fullmatch(command.line):
                continue
            if _FUNCTION.fullmatch(command.line):
                functions += command.line + "\n"
                continue
            said = run(daemon, home, functions + command.line)
            assert fits(said, command.said), f"$ {command.line}\n{said}"


def global_secrets(daemon: Daemon) -> str:
    return daemon.api("GET", "/global-secrets").body.decode()


def test_every_section_runs_something_and_every_block_is_run() -> None:
    assert len(SECTIONS) == len(re.findall(r"^## ", PAGE, re.MULTILINE))
    for heading, section in SECTIONS.items():
        assert any(each.said for each in commands(section)), heading
        assert {language for language, _ in _BLOCK.findall(section)} <= {"yaml", "console"}
    named = [name for name, _ in files(PAGE)]
    assert sorted(named) == sorted(set(named))
    for name in named:
        assert f"apply -f {name}\n" in PAGE
