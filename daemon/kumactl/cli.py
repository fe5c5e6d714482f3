"""argv → one command → an exit status. Everything that goes wrong becomes `Error: …` here."""

from __future__ import annotations

import argparse
from functools import cache
from typing import Final

from kong_mesh_cp.core.command_line.command_words import ASK
from kong_mesh_cp.core.versions import WIRE_VERSION
from kumactl import PRODUCT, __version__
from kumactl.command_line import COMMAND, Parser
from kumactl.commands import (
    apply,
    completion,
    config,
    delete,
    explain,
    export,
    flags,
    generate,
    get,
    help_command,
    inspect,
    install,
    rotate,
    version,
)
from kumactl.console import Console
from kumactl.errors import (
    EXIT_DONE,
    KumactlError,
    MeshNotFoundError,
    SeveralError,
    UsageError,
)
from kumactl.missing_mesh import explain_missing_mesh
from kumactl.session import Session

ERRORS_SHOWN_MAX: Final = 100  # of one run; who mends them sees the others next time


def run(argv: list[str], console: Console) -> int:
    """Run one command. argparse ends the process itself (status 2) on a wrong command line."""
    if argv[:2] == [ASK, "--"]:
        for word in completion.candidates(parser(), argv[2:], console):
            console.line(word)
        return EXIT_DONE
    arguments = parser().parse_args(argv)
    session = Session(arguments, console)
    try:
        _require_text(argv)
        arguments.run(session)
    except KumactlError as error:
        _report(error, session)
        return error.exit_status
    finally:
        session.close()
    return EXIT_DONE


@cache
def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = Parser(
        prog="kumactl",
        description="Manages the meshes of a control plane over its HTTP API.",
        epilog="Exit status: 0 done, 1 refused or failed, 2 usage, 3 unreachable, 4 not found.",
        allow_abbrev=False,
    )
    root.elsewhere = get.instead_of  # type: ignore[method-assign]
    version_shown = f"kumactl {__version__} ({PRODUCT} {WIRE_VERSION})"
    root.add_argument("--version", action="version", version=version_shown)
    flags.add_global(root)
    plain: argparse.ArgumentParser = root
    commands = plain.add_subparsers(title="commands", metavar=COMMAND, required=True)
    for each in (
        apply,
        config,
        delete,
        explain,
        export,
        generate,
        get,
        inspect,
        install,
        rotate,
        version,
        completion,
    ):
        each.add_parser(commands)
    help_command.add_parser(commands, root)
    return root


def _require_text(argv: list[str]) -> None:
    """Names go into URLs and JSON: bytes that are no UTF-8 have no form there."""
    try:
        "".join(argv).encode()
    except UnicodeEncodeError:
        raise UsageError("the command line is not UTF-8 text") from None


def _report(error: KumactlError, session: Session) -> None:
    if isinstance(error, SeveralError):
        for each in error.errors[:ERRORS_SHOWN_MAX]:
            _report(each, session)
        if len(error.errors) > ERRORS_SHOWN_MAX:
            session.console.note(f"{len(error.errors) - ERRORS_SHOWN_MAX} more errors")
        session.console.note(error.message)
        return
    if isinstance(error, MeshNotFoundError):
        explain_missing_mesh(error, session.control_plane)
    session.console.note(f"Error: {error.message}")
    for wrong in error.fields:
        shown = f"{wrong.field}: {wrong.reason}" if wrong.field else wrong.reason
        session.console.note(f"* {shown}")
