"""`kong-mesh-cp license verify|inspect|explain|simulate`: questions that need no daemon."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.commands import license_facts, license_in_force, license_text, service
from kong_mesh_cp.commands.license_input import (
    Input,
    from_argument,
    from_sources,
    names_sources,
)
from kong_mesh_cp.commands.running_daemon import NoDaemonError, ask_daemon, socket_path
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.quoted_text import quoted
from kong_mesh_cp.core.license.report import Report, Verdict, report_on
from kong_mesh_cp.core.license.simulate import simulate
from kong_mesh_cp.core.license.term import Entitlement, instant
from kong_mesh_cp.shell.host.clocks import wall_clock
from kong_mesh_cp.shell.license_file.keyring import read_keyring

if TYPE_CHECKING:
    import tomli_w
else:
    tomli_w = lazy_import("tomli_w")

Clock = Callable[[], datetime]  # aware, UTC

EXIT_STATUS = {
    Verdict.VALID: 0,
    Verdict.VALID_WITH_WARNINGS: 3,
    Verdict.EXPIRED: 4,
    Verdict.INVALID: 5,
    Verdict.NONE: 6,
}
DATAPLANES_DIGITS_MAX = 7  # as many as in a license
_EPILOG = (
    "Exit status: 0 valid, 3 valid with warnings, 4 expired, 5 invalid, 6 no license is set,"
    " 7 nobody could be asked who knows."
)
_QUESTIONS = {
    "verify": "say in one line whether a license is good",
    "inspect": "show every field of a license",
    "explain": "say in sentences what a license is and what the daemon makes of it",
    "simulate": "say what would happen at another time or with more proxies",
}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], *, clock: Clock = wall_clock
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Add `license` and its questions; returns where more can be added.

    `clock` tells the time of the judgement.
    """
    parser = commands.add_parser("license", help="ask about a license", allow_abbrev=False)
    actions = parser.add_subparsers(title="questions", metavar="QUESTION", required=True)
    for question, text in _QUESTIONS.items():
        asked = actions.add_parser(question, help=text, epilog=_EPILOG, allow_abbrev=False)
        _add_arguments(asked)
        if question == "simulate":
            _add_what_if(asked)
        asked.set_defaults(run=functools.partial(_answer, question, clock=clock))
    return actions


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="license file, - for standard input; without it, the running daemon is asked, else the"
        " service of this machine, else what is set in this environment",
    )
    parser.add_argument("--output", choices=("text", "json", "toml"), default="text")
    parser.add_argument(
        "--license-keyring", metavar="FILE", help="trust the keys of FILE, not the built-in ones"
    )
    parser.add_argument(
        "-c", "--config-file", metavar="FILE", help="judge this environment with this configuration"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's, if not the default")
    parser.add_argument(
        service.THIS_ENVIRONMENT,
        action="store_true",
        help="ask nobody: judge what is set in this environment",
    )


def _add_what_if(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at", type=_instant, metavar="DATE", help="2032-11-09 or 2032-11-09T12:00:00Z; now"
    )
    parser.add_argument(
        "--dataplanes",
        type=_dataplanes,
        metavar="N",
        default=None,
        help="connected data plane proxies (default: as many as the daemon that is asked has; 0"
        " without one)",
    )


def _answer(question: str, arguments: argparse.Namespace, *, clock: Clock) -> int:
    # Taking the inline license out of the process environment is for the daemon, which lives on:
    # the reader of settings gets a copy.
    environ = dict(os.environ)  # noqa: TID251 (what the daemon would be started with)
    if arguments.file is None and not arguments.this_environment:
        told = _told_by_others(question, arguments, environ, clock)
        if told is not None:
            return told
    override = Path(arguments.license_keyring) if arguments.license_keyring else None
    keyring = read_keyring(override)
    today = clock()
    now: datetime = getattr(arguments, "at", None) or today
    active: int = getattr(arguments, "dataplanes", None) or 0
    if arguments.file is None:
        found = from_sources(environ, arguments.config_file)
    else:
        found = from_argument(arguments.file)
    report = _report(found, keyring, now=now, active=active)
    facts = license_facts.of_report(report, overridden=override is not None)
    if found is not None and found.remarks:
        facts["remarks"] = list(found.remarks)
    if question == "simulate":
        entitlement = _entitlement(report, today)
        outcome = simulate(entitlement, now=now, dataplanes=active) if entitlement else None
        facts |= license_facts.of_simulation(outcome, now=now, active=active)
        lines = license_text.simulated(entitlement, outcome, now=now, active=active)
    else:
        lines = license_text.TEXTS[question](report)
    lines += [f"note: {report.source} {remark}" for remark in (found.remarks if found else ())]
    _print(arguments.output, facts, lines, report)
    return EXIT_STATUS[report.verdict]


def _told_by_others(
    question: str, arguments: argparse.Namespace, environ: dict[str, str], clock: Clock
) -> int | None:
    """The answer of the daemon, else of the service; None where it is for this environment.

    Raises: UnknownError where there is a service that this user cannot ask.
    """
    if names_sources(arguments.config_file, environ):
        _say_asked("this environment, which names a license or a configuration")
        return None
    try:
        answer = ask_daemon(arguments, "GET", "/v1/license")
    except NoDaemonError as error:
        if arguments.socket is not None:
            raise  # another daemon than the service's was meant
        nobody = error.message
    else:
        if answer.status == HTTPStatus.OK and isinstance(answer.body.get("restartSafe"), bool):
            _say_asked(f"the daemon on {printable(socket_path(arguments))}")
            return _told_by_daemon(question, arguments, answer.body, clock())
        nobody = "what answers on the admission socket does not tell of a license"
    if not service.is_installed():
        _say_asked(f"this environment: {nobody}, and {service.UNIT} is not installed")
        return None
    return service.ask_as_service(["license", question, *_flags(arguments)])


def _told_by_daemon(
    question: str, arguments: argparse.Namespace, view: license_in_force.View, today: datetime
) -> int:
    told = license_in_force.facts(view)
    verdict = license_in_force.verdict(view)
    if question == "simulate":
        now = arguments.at or today
        active = arguments.dataplanes
        if active is None:
            active = license_in_force.number(view, "activeDataplaneProxies")
        outcome, lines = license_in_force.simulated(view, now=now, active=active)
        told |= license_facts.of_simulation(outcome, now=now, active=active)
        if outcome.refusal is not None:
            verdict = Verdict.EXPIRED
    else:
        lines = license_in_force.TEXTS[question](view)
    _print(arguments.output, told, lines, None)
    return EXIT_STATUS[verdict]


def _flags(arguments: argparse.Namespace) -> list[str]:
    """What was asked, for the same command in the service's place."""
    flags = ["--output", arguments.output]
    at: datetime | None = getattr(arguments, "at", None)
    dataplanes: int | None = getattr(arguments, "dataplanes", None)
    if arguments.license_keyring is not None:
        flags += ["--license-keyring", arguments.license_keyring]
    if at is not None:
        flags += ["--at", instant(at)]
    if dataplanes is not None:
        flags += ["--dataplanes", str(dataplanes)]
    return flags


def _say_asked(whom: str) -> None:
    print(f"asked: {whom}", file=sys.stderr)


def _report(found: Input | None, keyring: Keyring, *, now: datetime, active: int) -> Report:
    if found is not None and found.document is not None:
        return report_on(
            found.document,
            source=found.source,
            keyring=keyring,
            now=now,
            active=active,
            sources=found.sources,
        )
    return Report(
        verdict=Verdict.INVALID if found else Verdict.NONE,
        source=found.source if found else "",
        now=now,
        license=None,
        unverified=None,
        refusal=found.error if found else None,
        warnings=(),
    )


def _entitlement(report: Report, today: datetime) -> Entitlement | None:
    """What a simulation is about; where nothing is set, a control plane first started today."""
    if report.verdict is Verdict.NONE:
        return BundledLicense(started_at=today)
    return report.license


def _print(output: str, facts: dict[str, object], lines: list[str], report: Report | None) -> None:
    match output:
        case "json":
            print(json.dumps(facts, indent=1, ensure_ascii=False))
        case "toml":
            print(tomli_w.dumps(facts), end="")
        case _:
            for line in lines:
                print(line)
            if report is not None and report.refusal is not None:
                print(f"kong-mesh-cp: {report.refusal.line}", file=sys.stderr)


def _instant(text: str) -> datetime:
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    raise argparse.ArgumentTypeError(f"{quoted(text)} is neither a date nor an instant in UTC")


def _dataplanes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DATAPLANES_DIGITS_MAX):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no number of data plane proxies")
    return int(text)
