"""The flags of `kuma-dp`, as the original has them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from kuma_dp import PROGRAM
from kuma_dp.given import values
from kuma_dp.given.options import OPTIONS, VARS_FLAG, WITHOUT_EFFECT, Option
from kumactl.command_line import COMMAND, Parser

LOG_LEVELS: Final = ("off", "info", "debug")
URL: Final = "http://localhost:9901/ready"  # of Envoy's admin listener
CHECK_FREQUENCY: Final = "1s"
REQUEST_TIMEOUT: Final = "500ms"
WAIT_TIMEOUT: Final = "3m"


def parser() -> argparse.ArgumentParser:
    """The whole command line. A wrong one ends the process with status 2."""
    root: argparse.ArgumentParser = Parser(
        prog=PROGRAM,
        description="Joins a service of this machine to a mesh: asks the control plane for the"
        " configuration of its Envoy, starts it and looks after it.",
        epilog="Exit status: 0 stopped, 2 usage, 69 try again later, 70 Envoy has ended,"
        " 78 somebody has to correct something.",
        allow_abbrev=False,
    )
    _add_log_level(root, "info")
    commands = root.add_subparsers(title="commands", metavar=COMMAND, dest="command", required=True)
    _add_run(commands)
    _add_wait(commands)
    version = commands.add_parser("version", help="print the version", allow_abbrev=False)
    version.add_argument("-a", "--detailed", action="store_true", help="all that is known of it")
    return root


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="run a proxy",
        epilog="Each option has a variable; where both are given the variable counts: "
        + ", ".join(option.variable for option in OPTIONS)
        + ".",
        allow_abbrev=False,
    )
    _add_log_level(run, argparse.SUPPRESS)
    for option in OPTIONS:
        if option.flag:
            _add(run, option)
    run.add_argument(
        "-v",
        VARS_FLAG,
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="resource_vars",
        help="value of {{ NAME }} in the Dataplane; may be given again",
    )
    for flag, _ in WITHOUT_EFFECT:
        if flag:
            hidden = argparse.SUPPRESS
            run.add_argument(flag, nargs="?", const=flag, dest=flag, default=hidden, help=hidden)


def _add_wait(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    wait = commands.add_parser(
        "wait",
        help="wait until a proxy of this machine is ready",
        epilog="Exit status: 0 it is ready, 2 usage, 69 it was not in time, 78 --url is none.",
        allow_abbrev=False,
    )
    _add_log_level(wait, argparse.SUPPRESS)
    wait.add_argument("--url", default=URL, metavar="URL", help=f"what has to answer 200 ({URL})")
    for flag, default, text in (
        ("--check-frequency", CHECK_FREQUENCY, "between two tries"),
        ("--request-timeout", REQUEST_TIMEOUT, "for one try"),
        ("--timeout", WAIT_TIMEOUT, "for all of them"),
    ):
        wait.add_argument(
            flag,
            type=_reader(values.seconds),
            default=default,
            metavar="DURATION",
            help=f"{text} (default {default})",
        )


def _add(run: argparse.ArgumentParser, option: Option) -> None:
    names = (option.short, option.flag) if option.short else (option.flag,)
    default = f" (default {option.default})" if option.default not in {"", False} else ""
    more: dict[str, object] = {"nargs": "?", "const": True} if option.read is values.switch else {}
    run.add_argument(
        *names,
        dest=option.name,
        default=argparse.SUPPRESS,
        type=_reader(option.read),
        metavar=option.flag.rpartition("-")[2].upper(),
        help=f"{option.help}{default}",
        **more,  # type: ignore[arg-type]
    )


def _add_log_level(command: argparse.ArgumentParser, default: str) -> None:
    shown = "off, info or debug"
    command.add_argument(
        "--log-level", choices=LOG_LEVELS, default=default, metavar="LEVEL", help=shown
    )


def _reader(read_text: Callable[[str], object]) -> Callable[[str], object]:
    def read(given: str) -> object:
        try:
            return read_text(given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def given_flags(arguments: argparse.Namespace) -> dict[str, object]:
    """The flags that were given, by option, or by themselves where they have no effect."""
    known = {option.name for option in OPTIONS} | {flag for flag, _ in WITHOUT_EFFECT if flag}
    return {name: value for name, value in vars(arguments).items() if name in known}


def given_pairs(arguments: argparse.Namespace) -> dict[str, str]:
    """The values for the Dataplane's template. Raises: ValueError."""
    return values.pairs(arguments.resource_vars)
