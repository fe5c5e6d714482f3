"""Flags that several commands share, and the forms of their values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from kong_mesh_cp.core.formats.durations import SECOND, DurationError, parse_duration
from kumactl.command_line import COMMAND
from kumactl.output import Format
from kumactl.request_log import LogLevel
from kumactl.session import Session
from kumactl.transport import TIMEOUT_SECONDS

Run = Callable[[Session], None]
_API_TIMEOUT_SECONDS_MAX: Final = 24 * 3600
# Up to 5 digits: more are no duration that a token may have, and 64 bits of nanoseconds end there.
_LONG_DURATION: Final = re.compile(
    r"(?P<days>[0-9]{1,5})(?P<unit>d|w|y)(?:(?P<hours>[0-9]{1,5})h)?(?P<rest>[0-9]{0,5}m?)"
)
_DAYS_OF: Final = {"d": 1, "w": 7, "y": 365}


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Run,
    summary: str,
    *,
    aliases: Sequence[str] = (),
    config_file: bool = True,
) -> argparse.ArgumentParser:
    """A parser for one command, with the flags that stand at every command.

    `config_file`: whether `--config-file` is kumactl's own there.
    """
    parser = commands.add_parser(
        name, help=summary, description=summary, aliases=aliases, allow_abbrev=False
    )
    add_global(parser, default=argparse.SUPPRESS, config_file=config_file)
    parser.set_defaults(run=run)
    return parser


def group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    *,
    output: bool = False,
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """A command that only holds others; `output`: `-o` may stand before them."""
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    add_global(parser, default=argparse.SUPPRESS)
    if output:
        add_output(parser, unsaid=None)
    return parser.add_subparsers(title="commands", metavar=COMMAND, required=True)


def add_global(
    parser: argparse.ArgumentParser, *, default: Any = None, config_file: bool = True
) -> None:
    """The flags that may stand before or behind any command."""
    flags = parser.add_argument_group("everywhere")
    if config_file:
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
        "--log-level",
        type=log_level,
        metavar="LEVEL",
        default=default or LogLevel.OFF,
        help="off, info (each request, on standard error) or debug; default off",
    )
    flags.add_argument(
        "--api-timeout",
        type=timeout,
        metavar="DURATION",
        default=default or TIMEOUT_SECONDS,
        help="for one exchange with the control plane; default 1m",
    )


def keep_lines(parser: argparse.ArgumentParser) -> None:
    """The lines of its description and epilog stand in its help as they are."""
    vars(parser)["formatter_class"] = argparse.RawDescriptionHelpFormatter


def add_mesh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--mesh", metavar="MESH", help="the mesh meant; default default")


def add_output(parser: argparse.ArgumentParser, *, unsaid: Any = Format.TABLE) -> None:
    """`unsaid`: what holds without the flag; `argparse.SUPPRESS` where the group has said it."""
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


def page_query(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """What the flags of `add_page` ask for."""
    given = (("size", arguments.size), ("offset", arguments.offset))
    return [(name, str(value)) for name, value in given if value is not None]


def log_level(text: str) -> LogLevel:
    try:
        return LogLevel(text.lower())
    except ValueError:
        known = ", ".join(LogLevel)
        raise argparse.ArgumentTypeError(f'unknown log level "{text}": one of {known}') from None


def timeout(text: str) -> float:
    """Seconds of a duration in Go's form: `30s`, `1m`."""
    seconds = duration(text) / SECOND
    if not 0 < seconds <= _API_TIMEOUT_SECONDS_MAX:
        raise argparse.ArgumentTypeError("a timeout is more than 0s and at most 24h")
    return seconds


def duration(text: str) -> int:
    """Nanoseconds of a duration in Go's form."""
    try:
        return parse_duration(text)
    except DurationError as error:
        raise argparse.ArgumentTypeError(f"{error}{_in_hours(text)}") from None


def _in_hours(text: str) -> str:
    """What to write for days and weeks, which are not of Go's units: `; write 720h`."""
    long = _LONG_DURATION.fullmatch(text)
    if long is None:
        return ""
    days, hours = int(long["days"]), int(long["hours"] or "0")
    hours += 24 * days * _DAYS_OF[long["unit"]]
    return f". Write {hours}h{long['rest']}"


def pair(text: str) -> tuple[str, str]:
    """`key=value`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        # What was given instead may be a token: it is not shown.
        raise argparse.ArgumentTypeError("that is not of the form key=value")
    return key, value


def tags(text: str) -> list[tuple[str, str]]:
    """`key=value,other=value`: a comma always separates, for no value of a tag has one."""
    found = []
    for part in text.split(","):
        key, value = pair(part.strip())
        found.append((key.strip(), value.strip()))
    return found


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


pair.may_be_secret = pairs.may_be_secret = True  # type: ignore[attr-defined]


def words(text: str) -> list[str]:
    """`one,two`."""
    return [word for word in text.split(",") if word]
