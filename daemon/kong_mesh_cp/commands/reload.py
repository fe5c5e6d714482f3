"""`kong-mesh-cp reload`: the running daemon reads its license again; says what came of it."""

from __future__ import annotations

import argparse
import sys
from http import HTTPStatus

from kong_mesh_cp.commands.running_daemon import add_daemon_arguments, ask_daemon
from kong_mesh_cp.core.errors import ControlPlaneError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "reload",
        help="have the running daemon read its license again",
        description="Reads the license's sources again. Exit status 1 when what they hold now"
        " cannot be used: the license in force stays.",
        allow_abbrev=False,
    )
    add_daemon_arguments(parser)
    parser.set_defaults(run=_reload)


def _reload(arguments: argparse.Namespace) -> int:
    answer = ask_daemon(arguments, "POST", "/v1/license/reload")
    if answer.status != HTTPStatus.OK:
        raise ControlPlaneError(
            str(answer.body.get("reason", "the daemon refused")).rstrip("."),
            code=str(answer.body.get("code", "reload-refused")),
            hint=str(answer.body.get("hint", "See its log: journalctl -u kong-mesh-cp")),
        )
    result = str(answer.body.get("result"))
    difference = answer.body.get("difference")
    print(f"{result}: {difference}" if difference else result)
    reductions = answer.body.get("reductions")
    for reduction in reductions if isinstance(reductions, list) else ():
        print(f"note: {reduction}", file=sys.stderr)
    return 0
