"""`kong-mesh-cp license check-restart|reset-clock`: questions about this control plane's state."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from kong_mesh_cp.commands import service
from kong_mesh_cp.commands.license_input import names_sources
from kong_mesh_cp.commands.running_daemon import (
    NoDaemonError,
    add_daemon_arguments,
    ask_daemon,
    socket_path,
)
from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.license.clock import ClockMark, observe
from kong_mesh_cp.core.license.term import instant
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.usecases.ports.state_store import AuditEntry

if TYPE_CHECKING:
    import trio

    from kong_mesh_cp.compose import preparing, state
    from kong_mesh_cp.settings import loading, service_manager
    from kong_mesh_cp.settings.model import Settings
    from kong_mesh_cp.settings.service_manager import ServiceEnvironment
else:
    trio = lazy_import("trio")
    preparing = lazy_import("kong_mesh_cp.compose.preparing")
    state = lazy_import("kong_mesh_cp.compose.state")
    loading = lazy_import("kong_mesh_cp.settings.loading")
    service_manager = lazy_import("kong_mesh_cp.settings.service_manager")

EXIT_SAFE = 0  # 7, EXIT_UNKNOWN, is neither
EXIT_NOT_SAFE = 1
SAFE = "safe: a start right now would succeed"
REASON_CHARACTERS_MAX = 500


def add_parsers(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both to the questions of `license`."""
    check = actions.add_parser(
        "check-restart",
        help="say whether a start right now would succeed",
        description="Asks the running daemon. With --offline, or without one, it judges a start of"
        f" {service.UNIT} as systemd would do it now; on a machine without that service, a start"
        " from this shell. Exit status 0: it would succeed, 1: it would not, 7: nobody knows.",
        allow_abbrev=False,
    )
    add_daemon_arguments(check)
    check.add_argument("--offline", action="store_true", help="do not ask the running daemon")
    check.add_argument(
        service.THIS_ENVIRONMENT,
        action="store_true",
        help="judge a start with the environment and as the user of this command, nothing else",
    )
    check.add_argument("--license-keyring", metavar="FILE", help="as for `run`")
    check.set_defaults(run=_check_restart)
    reset = actions.add_parser(
        "reset-clock",
        help="forget the latest time seen, after the clock was wrong",
        description="Believes the wall clock as it is now. The daemon must not run. The deed and"
        " its reason are kept in the store's audit log.",
        allow_abbrev=False,
    )
    reset.add_argument("--reason", required=True, help="why; kept in the audit log")
    reset.add_argument("-c", "--config-file", metavar="FILE", help="the daemon's configuration")
    reset.set_defaults(run=_reset_clock)


def _check_restart(arguments: argparse.Namespace) -> int:
    try:
        return _verdict(arguments)
    except service.UnknownError as error:
        print(f"unknown: {error.line}")
        return error.exit_status


def _verdict(arguments: argparse.Namespace) -> int:
    """Raises: UnknownError."""
    environ = dict(os.environ)  # noqa: TID251 (whether it sets anything)
    of_service = (
        not arguments.this_environment
        and arguments.socket is None
        and not names_sources(arguments.config_file, environ)
        and service.is_installed()
    )
    who = f"a start of {service.UNIT}" if of_service else "this environment"
    if not arguments.offline and not arguments.this_environment:
        try:
            told = _as_the_daemon_says(arguments)
        except NoDaemonError as error:
            if arguments.socket is not None:
                raise _whose_is_it(error) from None
            print(f"{error.message}; judging {who} instead")
        else:
            # It knows its own environment. What was changed in the files of the service since, it
            # does not: those are what a restart begins with.
            if told is not None or not of_service or not service.can_be_asked():
                print(told or SAFE)
                return EXIT_SAFE if told is None else EXIT_NOT_SAFE
    if of_service:
        keyring = arguments.license_keyring
        flags = [] if keyring is None else ["--license-keyring", keyring]
        return service.ask_as_service(["license", "check-restart", *flags])
    try:
        _check_a_start(arguments)
    except ControlPlaneError as error:
        print(f"not safe: {error.line}")
        return EXIT_NOT_SAFE
    print(SAFE)
    if not arguments.this_environment:
        print(
            "asked: this environment; judged as this user, for a start from here", file=sys.stderr
        )
    return EXIT_SAFE


def _as_the_daemon_says(arguments: argparse.Namespace) -> str | None:
    """Why a restart would be refused, as a line; None where it would not. Raises: NoDaemonError."""
    answer = ask_daemon(arguments, "GET", "/v1/license")
    safe = answer.body.get("restartSafe")
    if answer.status != HTTPStatus.OK or not isinstance(safe, bool):
        raise NoDaemonError(
            "what answers on the admission socket does not tell whether a restart is safe",
            code="daemon-not-understood",
            hint="Ask with --offline.",
        )
    print(f"asked: the daemon on {printable(socket_path(arguments))}", file=sys.stderr)
    if safe:
        return None
    reason = answer.body.get("restartError")
    facts = reason if isinstance(reason, dict) else {}
    return f"not safe: {facts.get('code')}: {facts.get('message')}. {facts.get('hint')}"


def _whose_is_it(error: NoDaemonError) -> service.UnknownError:
    return service.UnknownError(
        f"{error.message}, and what that daemon is started with is not known",
        code="service-unknown",
        hint="Start it, or run this command with its environment, as its user, and"
        f" {service.THIS_ENVIRONMENT}.",
    )


def _check_a_start(arguments: argparse.Namespace) -> None:
    environ = dict(os.environ)  # noqa: TID251 (what the daemon would be started with)
    options = preparing.RunOptions(
        config_file=arguments.config_file, keyring_file=arguments.license_keyring
    )
    preparing.check_start(
        options,
        environ,
        service_manager.ServiceEnvironment.read(environ, pid=os.getpid()),
    )


def _reset_clock(arguments: argparse.Namespace) -> int:
    environ = dict(os.environ)  # noqa: TID251 (the same variables as the daemon's)
    settings = loading.load(
        arguments={"--config-file": arguments.config_file}, environ=environ
    ).settings
    if settings.store.type == "memory":
        raise ControlPlaneError(
            "the store is in memory (KUMA_STORE_TYPE): it remembers no time",
            code="nothing-to-reset",
            hint="Restart the daemon instead.",
        )
    if not settings.general.work_dir.is_dir():
        # Making it, as a start would, would hide that another one was meant.
        raise StateError(
            f"there is no state directory {printable(settings.general.work_dir)}",
            code="state-missing",
            hint="Name the daemon's configuration with -c, or set KUMA_GENERAL_WORK_DIR as for it;"
            " the packaged service's is /var/lib/kong-mesh-cp.",
        )
    reason = _reason(arguments.reason)
    service = service_manager.ServiceEnvironment.read(environ, pid=os.getpid())
    before = trio.run(_forget_latest_time, settings, service, reason)
    seen = "none was recorded" if before is None else f"it was {instant(before.seen)}"
    print(f"the latest time seen is now the wall clock's ({seen}); recorded in the audit log")
    return 0


def _reason(text: str) -> str:
    reason = printable(text.strip())
    if not reason or len(reason) > REASON_CHARACTERS_MAX:
        raise ControlPlaneError(
            f"the reason must have 1 to {REASON_CHARACTERS_MAX} characters",
            code="reason-missing",
            hint='Say why, for example --reason "NTP was off by a year, ticket 4711"',
        )
    return reason


async def _forget_latest_time(
    settings: Settings, service: ServiceEnvironment, reason: str
) -> ClockMark | None:
    now = clocks.wall_clock()
    async with state.open_store(settings, service) as store:
        before = (await store.remembered()).clock
        seen = instant(before.seen) if before else "never"
        # First the record of the deed: a clock that was reset in secret must not exist.
        await store.audit(
            AuditEntry(now, _actor(), f"reset-clock from {seen} to {instant(now)}", reason)
        )
        mark = observe(
            None,
            wall=now,
            boottime_seconds=clocks.boot_clock(),
            boot_id=clocks.boot_id(),
        )
        await store.save_clock(mark)
        return before


def _actor() -> str:
    uid = os.getuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
