"""argv → one command → an exit status. What goes wrong becomes one line here."""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kong_mesh_cp import __version__
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.settings.service_manager import ServiceEnvironment
from kong_mesh_cp.shell.host import logs, standard_streams
from kuma_dp import PROGRAM
from kuma_dp.command_line import given_flags, given_pairs, parser
from kuma_dp.envoy.binary import AskedEnvoy, find_envoy
from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.dataplane_file import proxy_of
from kuma_dp.given.settings import Settings, gather
from kuma_dp.given.tokens import token_of
from kumactl import PACKAGE, PRODUCT

if TYPE_CHECKING:
    import trio

    from kong_mesh_cp.shell.host import systemd
    from kuma_dp import running, waiting
    from kuma_dp.bootstrapping import trust
else:  # a wrong command line, or the version, needs no event loop
    trio = lazy_import("trio")
    systemd = lazy_import("kong_mesh_cp.shell.host.systemd")
    running = lazy_import("kuma_dp.running")
    waiting = lazy_import("kuma_dp.waiting")
    trust = lazy_import("kuma_dp.bootstrapping.trust")

EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT
_UNKNOWN: Final = "unknown"
_DETAILS: Final = (
    ("Product", PRODUCT),
    ("Version", WIRE_VERSION),
    ("Git Tag", _UNKNOWN),
    ("Git Commit", _UNKNOWN),
    ("Build Date", _UNKNOWN),
)
_LABEL_COLUMNS: Final = 15

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. argparse ends the process itself (status 2) on a wrong command line."""
    standard_streams.mend()
    # What is imported stays for ever: to look for garbage among it is a part of a start.
    gc.disable()
    arguments = parser().parse_args(argv)
    try:
        if arguments.command == "version":
            return _version(detailed=arguments.detailed)
        if arguments.command == "wait":
            return _wait(arguments)
        return _run(arguments, os.environ)  # noqa: TID251 (the outermost layer of this program)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _version(*, detailed: bool) -> int:
    lines = [f"{label + ':':<{_LABEL_COLUMNS}}{value}" for label, value in _DETAILS]
    shown = lines if detailed else [f"{PRODUCT}: {WIRE_VERSION}"]
    print(*shown, f"Package: {PACKAGE} {__version__}", sep="\n", flush=True)  # noqa: T201
    return 0


def _wait(arguments: argparse.Namespace) -> int:
    logs.configure(arguments.log_level, journal=False)
    asked = waiting.Waiting(
        url=arguments.url,
        check_seconds=arguments.check_frequency,
        seconds=arguments.timeout,
        request_seconds=arguments.request_timeout,
    )
    try:
        trio.run(waiting.wait, asked)
    except ControlPlaneError as error:
        print(f"{PROGRAM}: {error.line}", file=sys.stderr, flush=True)  # noqa: T201
        return error.exit_status
    return 0


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    service = ServiceEnvironment.read(environ, pid=os.getpid())
    journal = logs.on_journal(service.journal_stream)
    level: str = arguments.log_level
    logs.configure(level, journal=journal)
    with systemd.ServiceManager() as manager:
        try:
            start = _start(arguments, environ, service)
            gc.freeze()
            gc.enable()
            return trio.run(running.run, start, manager)
        except ControlPlaneError as error:
            manager.refused(error.line, errno.EINVAL)
            prefix = "<3>" if journal else f"{PROGRAM}: "
            print(f"{prefix}{error.line}", file=sys.stderr, flush=True)  # noqa: T201
            return error.exit_status


def _start(
    arguments: argparse.Namespace, environ: Mapping[str, str], service: ServiceEnvironment
) -> running.Start:
    """All that a run needs to be told. Raises: ControlPlaneError."""
    try:
        pairs = given_pairs(arguments)
    except ValueError as error:
        raise NotMendedByWaitingError(
            f"--dataplane-var: {error}",
            code="setting-malformed",
            hint="Give --dataplane-var name=value.",
        ) from None
    settings, remarks = gather(given_flags(arguments), pairs, environ)
    for remark in remarks:
        log.warning("%s", remark)
    _refuse_contradictions(settings)
    proxy = proxy_of(
        mesh=settings.mesh,
        name=settings.name,
        proxy_type=settings.proxy_type,
        path=settings.resource_path,
        inline=settings.resource,
        variables=settings.resource_vars,
        stdin=sys.stdin.buffer,
    )
    address = trust.address_of(settings.cp_address)
    authority = trust.authority_of(settings.ca_cert, settings.ca_cert_file)
    token = token_of(settings.token_path, settings.token, settings.proxy_type)
    envoy = AskedEnvoy(find_envoy(settings.binary_path))
    return running.Start(  # imports nearly all
        settings=settings,
        proxy=proxy,
        address=address,
        authority=authority,
        token=token,
        envoy=envoy,
        log_level=arguments.log_level,
        watchdog_seconds=service.watchdog_seconds,
        runtime_directory=environ.get("RUNTIME_DIRECTORY", ""),
    )


def _refuse_contradictions(settings: Settings) -> None:
    if not settings.admission_socket:
        return
    if settings.token or settings.token_path:
        raise NotMendedByWaitingError(
            "--admission-socket and a token are given, and each admission brings one",
            code="setting-contradiction",
            hint="Leave one of them out.",
        )
    if settings.is_zone_proxy:
        raise NotMendedByWaitingError(
            f"--admission-socket is for data plane proxies, and this is an {settings.proxy_type}",
            code="setting-contradiction",
            hint="Give --dataplane-token-file with one of kumactl generate zone-token.",
        )
