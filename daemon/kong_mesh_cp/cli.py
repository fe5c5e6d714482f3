"""The command line: picks the command, starts the event loop, turns errors into exit statuses."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kong_mesh_cp import __version__
from kong_mesh_cp.core.command_line.by_hand import by_hand
from kong_mesh_cp.core.command_line.command_words import ASK, Parser
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.host import standard_streams

if TYPE_CHECKING:
    import trio

    from kong_mesh_cp.commands import (
        completion,
        config,
        keys,
        license_state,
        migrate,
        reload,
        service,
    )
    from kong_mesh_cp.commands import license as license_command
    from kong_mesh_cp.compose import preparing, serving
    from kong_mesh_cp.settings import service_manager
    from kong_mesh_cp.shell.host import logs, systemd
else:  # each command imports what it needs: the offline ones neither trio nor the servers
    trio = lazy_import("trio")
    completion = lazy_import("kong_mesh_cp.commands.completion")
    config = lazy_import("kong_mesh_cp.commands.config")
    keys = lazy_import("kong_mesh_cp.commands.keys")
    license_state = lazy_import("kong_mesh_cp.commands.license_state")
    migrate = lazy_import("kong_mesh_cp.commands.migrate")
    reload = lazy_import("kong_mesh_cp.commands.reload")
    service = lazy_import("kong_mesh_cp.commands.service")
    license_command = lazy_import("kong_mesh_cp.commands.license")
    preparing = lazy_import("kong_mesh_cp.compose.preparing")
    serving = lazy_import("kong_mesh_cp.compose.serving")
    service_manager = lazy_import("kong_mesh_cp.settings.service_manager")
    logs = lazy_import("kong_mesh_cp.shell.host.logs")
    systemd = lazy_import("kong_mesh_cp.shell.host.systemd")

PROGRAM = "kong-mesh-cp"
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, what a shell reports for a reader that left
EX_IOERR = 74  # sysexits.h
OUTPUT_LOST = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
LOG_LEVELS = "off, debug, info, warning or error"
EXIT_INTERRUPTED = 130  # 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit status; no ControlPlaneError escapes."""
    standard_streams.mend()
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            if given[:2] == [ASK, "--"]:
                return completion.print_candidates(_parser([]), given[2:])
            arguments = _parser(given).parse_args(given)
            status: int = arguments.run(arguments)
        finally:
            sys.stdout.flush()  # after --help too, which leaves by SystemExit
    except ControlPlaneError as error:
        for remark in error.remarks:
            print(f"warning: {remark}", file=sys.stderr)
        line = error.line if service.is_installed() else by_hand(error.line)
        print(f"{PROGRAM}: {line}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # `kong-mesh-cp license explain | head -1`: the reader is gone.
        _discard_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno not in OUTPUT_LOST:
            raise
        _discard_output()
        print(
            f"{PROGRAM}: output-not-written: stdout does not take the answer: {error.strerror}."
            " Make room where it goes, and run the command again",
            file=sys.stderr,
        )
        return EX_IOERR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def _discard_output() -> None:
    # What is still buffered would be written once more at the end, and fail once more.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog=PROGRAM,
        description="Control plane of a service mesh for plain Linux machines.",
        epilog="Manual: kong-mesh-cp(8), kong-mesh-cp.toml(5).",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    _add_offline_commands(commands, argv)
    return parser


def _add_offline_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], argv: Sequence[str]
) -> None:
    # `run` is what starts at 3 a.m.: it need not wait for the parsers of the other commands.
    if argv[:1] == ["run"]:
        return
    license_state.add_parsers(license_command.add_parser(commands))
    config.add_parser(commands)
    reload.add_parser(commands)
    keys.add_parser(commands)
    migrate.add_parser(commands)
    completion.add_parser(commands, PROGRAM)


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="run the control plane", allow_abbrev=False)
    run.add_argument("-c", "--config-file", metavar="FILE", help="TOML, or a Kuma kuma-cp.conf.yml")
    run.add_argument(
        "--log-level",
        type=_log_level,
        metavar="LEVEL",
        help=LOG_LEVELS,
    )
    run.add_argument(
        "--license-keyring",
        metavar="FILE",
        help="trust the keys of FILE instead of the built-in ones (for tests and vendors)",
    )
    run.add_argument(
        "--preload",
        metavar="FILE",
        help="serve the resources of FILE, as they stand, from memory alone (for tests)",
    )
    run.add_argument("--banner", action="store_true", help="say where everything listens on stdout")
    run.set_defaults(run=_run)


def _log_level(text: str) -> str:
    # Not by `choices`: those repeat what is refused, which may be anything.
    if text not in LOG_LEVELS.replace(" or", ",").split(", "):
        raise argparse.ArgumentTypeError(f"must be {LOG_LEVELS}")
    return text


def _run(arguments: argparse.Namespace) -> int:
    # What is imported stays for ever. To look for garbage among it again and again is a twentieth
    # of a start, and would later be a pause of the event loop.
    gc.disable()
    prepare, serve = preparing.prepare, serving.serve  # this imports nearly all
    gc.freeze()
    gc.enable()
    options = preparing.RunOptions(
        config_file=arguments.config_file,
        log_level=arguments.log_level,
        keyring_file=arguments.license_keyring,
        banner=arguments.banner,
        preload=arguments.preload,
        worded=None if _is_of_a_service() else by_hand,
    )
    environment = service_manager.ServiceEnvironment.read(os.environ, pid=os.getpid())
    with systemd.ServiceManager() as manager:
        try:
            prepared = prepare(options, os.environ, environment, manager.status)
            trio.run(serve, prepared, manager)
        except ControlPlaneError as error:
            manager.refused(error.line, errno.EINVAL)
            # journald shows the program's name and takes the priority from the prefix.
            prefix = "<3>" if logs.on_journal(environment.journal_stream) else f"{PROGRAM}: "
            line = error.line if options.worded is None else options.worded(error.line)
            print(f"{prefix}{line}", file=sys.stderr)
            return error.exit_status
    return 0


def _is_of_a_service() -> bool:
    """Whether a service manager waits for word of this process, or the machine has the service."""
    return "NOTIFY_SOCKET" in os.environ or service.is_installed()


def _version(_arguments: argparse.Namespace) -> int:
    print(f"{PROGRAM} {__version__}")
    return 0
