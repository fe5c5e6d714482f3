"""`kong-mesh-cp completion`: scripts for shells, and the words they ask for while one types."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kong_mesh_cp.core.command_line import completion_scripts
from kong_mesh_cp.core.command_line.command_words import candidates


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], program: str) -> None:
    completion_scripts.add_parser(commands, program, _print_script)


def print_candidates(root: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """One word a line. Returns the exit status."""
    for word in candidates(root, words):
        print(word)
    return 0


def _print_script(arguments: argparse.Namespace) -> int:
    print(arguments.script, end="")
    return 0
