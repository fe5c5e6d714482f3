"""kumactl(1): clean roff that names every command, every flag for everywhere, every status."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kumactl import cli, errors
from kumactl.documents import resource_names

MANUAL = Path(__file__).parents[2] / "packaging" / "man" / "kumactl.1"
WORDS = set(re.findall(r"[a-z][a-z-]*", MANUAL.read_text(encoding="utf-8").replace(r"\-", "-")))


def _commands(parser: argparse.ArgumentParser) -> set[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            inner = action.choices.items()
            return {name for name, _ in inner}.union(*(_commands(each) for _, each in inner))
    return set()


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_the_manual_is_clean_roff() -> None:
    result = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(MANUAL)],
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
        capture_output=True,
        check=True,
    )

    assert result.stderr == b""
    assert len(result.stdout) > 1000


def test_every_command_is_in_the_manual() -> None:
    # `inspect` has a command for each type of policy; the manual calls them so.
    assert _commands(cli.parser()) - resource_names.by_word().keys() <= WORDS


def _inner(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = action.choices[name]
            assert isinstance(found, argparse.ArgumentParser)
            return found
    raise AssertionError


def test_every_flag_of_applying_and_of_control_planes_is_in_the_manual() -> None:
    text = MANUAL.read_text(encoding="utf-8").replace(r"\-", "-")
    planes = _inner(_inner(cli.parser(), "config"), "control-planes")
    flags = {
        flag
        for parser in (_inner(cli.parser(), "apply"), _inner(planes, "add"))
        for action in parser._actions
        for flag in action.option_strings
        if flag.startswith("--")
    }

    assert not {flag for flag in flags - {"--help"} if flag not in text}


def test_every_exit_status_is_in_the_manual() -> None:
    section = MANUAL.read_text(encoding="utf-8").partition(".SH EXIT STATUS")[2]
    told = {int(status) for status in re.findall(r"^\.B (\d+)$", section, re.MULTILINE)}
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}

    assert told == known
