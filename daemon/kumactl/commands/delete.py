"""`kumactl delete TYPE NAME`."""

from __future__ import annotations

import argparse

from kumactl.commands import flags
from kumactl.documents import resource_names
from kumactl.errors import NotFoundError
from kumactl.session import Session


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(commands, "delete", _run, "delete a resource")
    parser.add_argument("type", metavar="TYPE", help="as `kumactl get` names it")
    parser.add_argument("name", metavar="NAME")
    flags.add_mesh(parser)


def _run(session: Session) -> None:
    resource_type = resource_names.type_of_word(session.arguments.type)
    name: str = session.arguments.name
    path = resource_names.item_path(resource_type, session.mesh, name)
    try:
        session.control_plane.delete(path)
    except NotFoundError:
        raise NotFoundError(f'there is no {resource_type.name} with name "{name}"') from None
    session.console.line(f'deleted {resource_type.name} "{name}"')
