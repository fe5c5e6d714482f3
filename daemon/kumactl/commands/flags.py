"""Flags that several commands share, and the forms of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from kong_mesh_cp.core.formats.durations import SECOND, DurationError, parse_duration
from kumactl.output import Format
from kumactl.session import Session
from kumactl.transport import TIMEOUT_SECONDS

Run = Callable[[Session], None]
_API_TIMEOUT_SECONDS_MAX: Final = 24 * 3600


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Run,
    summary: str,
    *,
    aliases: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """A parser for one command, with the flags that stand at every command."""
    parser = commands.add_parser(
        name, help=summary, description=summary, aliases=aliases, allow_abbrev=False
    )
    add_global(parser, default=argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """A command that only holds others."""
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    add_global(parser, default=argparse.SUPPRESS)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_global(parser: argparse.ArgumentParser, *, default: Any = None) -> None:
    """The flags that may stand before or behind any command."""
    flags = parser.add_argument_group("everywhere")
    flags.add_argument(
        "--config-file",
        type=Path,
        metavar="FILE",
        default=default,
        help="the configuration; default ~/.kumactl/config",
    )
    flags.add_argument(
        "--no-config",
        action="store_true",
        default=default or False,
        help="no configuration file: the control plane is http://localhost:5681",
    )
    flags.add_argument(
        "--api-timeout",
        type=timeout,
        metavar="DURATION",
        default=default or TIMEOUT_SECONDS,
        help="for one exchange with the control plane; default 1m",
    )


def add_mesh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--mesh", metavar="MESH", help="the mesh meant; default default")


def add_output(parser: argparse.ArgumentParser, *, unsaid: Format | None = Format.TABLE) -> None:
    """`unsaid`: what holds without the flag."""
    parser.add_argument(
        "-o",
        "--output",
        type=Format,
        choices=tuple(Format),
        default=unsaid,
        help="default table",
    )


def add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, metavar="N", help="at most this many; at most 1000")
    parser.add_argument("--offset", metavar="N", help="leave out this many")


def timeout(text: str) -> float:
    """Seconds of a duration in Go's form: `30s`, `1m`."""
    try:
        seconds = parse_duration(text) / SECOND
    except DurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 < seconds <= _API_TIMEOUT_SECONDS_MAX:
        raise argparse.ArgumentTypeError("a timeout is more than 0s and at most 24h")
    return seconds


def duration(text: str) -> int:
    """Nanoseconds of a duration in Go's form."""
    try:
        return parse_duration(text)
    except DurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def pair(text: str) -> tuple[str, str]:
    """`key=value`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        # What was given instead may be a token: it is not shown.
        raise argparse.ArgumentTypeError("that is not of the form key=value")
    return key, value


GIVEN: Final = "@FILE takes it from a file, @- from standard input"


def pairs(text: str) -> list[tuple[str, str]]:
    """`key=value,other=value`: a comma before another key separates, any other is of the value."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        if "=" in part or not found:
            found.append(pair(part))
        else:
            key, value = found[-1]
            found[-1] = (key, f"{value},{part}")
    return found


def words(text: str) -> list[str]:
    """`one,two`."""
    return [word for word in text.split(",") if word]
