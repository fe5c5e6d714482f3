"""`kumactl help`, `kumactl help get`: what `--help` says, asked for the other way round."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kong_mesh_cp.core.command_line.command_words import subcommands
from kong_mesh_cp.core.formats.near_words import did_you_mean
from kumactl.command_line import COMMAND
from kumactl.commands import flags
from kumactl.errors import UsageError
from kumactl.session import Session


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], root: argparse.ArgumentParser
) -> None:
    """`root` is the parser whose commands are explained."""

    def run(session: Session) -> None:
        session.console.document(_explained(root, session.arguments.topic).format_help())

    parser = flags.command(commands, "help", run, "explain a command")
    parser.add_argument("topic", metavar=COMMAND, nargs="*", help="none: all commands")


def _explained(root: argparse.ArgumentParser, topic: Sequence[str]) -> argparse.ArgumentParser:
    parser = root
    for word in topic:
        known = subcommands(parser)
        if word not in known:
            hint = did_you_mean(word, known)
            raise UsageError(f'unknown command "{word}" for "{parser.prog}"{hint}')
        parser = known[word]
    return parser
