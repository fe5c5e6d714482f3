"""`kumactl explain`: why something is configured as it is."""

from __future__ import annotations

import argparse

from kong_mesh_cp.core.formats.addresses import PORT_MAX
from kong_mesh_cp.core.resources.registry import TYPES
from kumactl.commands import flags
from kumactl.documents.resource_names import item_path
from kumactl.errors import MeshNotFoundError, NotFoundError
from kumactl.missing_resource import no_such_resource
from kumactl.output import Format, render
from kumactl.session import Session
from kumactl.tables.explanation import explanation_text


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    explain = flags.group(commands, "explain", "show why it is so, and not otherwise", output=True)
    parser = flags.command(
        explain, "dataplane", _dataplane, "which policy says what for one data plane proxy, and why"
    )
    parser.add_argument("name", metavar="NAME")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--outbound",
        metavar="SERVICE",
        default="",
        help="only traffic to this service; also by the name of its resource, or of the listener",
    )
    one.add_argument(
        "--inbound", type=_port, metavar="PORT", help="only traffic that comes in by this port"
    )
    parser.add_argument("--shadow", action="store_true", help="with the policies in shadow mode")
    flags.add_mesh(parser)
    flags.add_output(parser, unsaid=argparse.SUPPRESS)


def _dataplane(session: Session) -> None:
    arguments = session.arguments
    query: dict[str, str] = {}
    if arguments.outbound:
        query["outbound"] = arguments.outbound
    if arguments.inbound is not None:
        query["inbound"] = str(arguments.inbound)
    if arguments.shadow:
        query["shadow"] = "true"
    plane, dataplanes = session.control_plane, TYPES["Dataplane"]
    path = item_path(dataplanes, session.mesh, arguments.name)
    try:
        answer = plane.document(f"{path}/_explain", query)
    except MeshNotFoundError:
        raise
    except NotFoundError:
        if plane.find(path) is None:
            raise no_such_resource(plane, dataplanes, session.mesh, arguments.name) from None
        raise
    form: Format | None = arguments.output
    if form is None or form is Format.TABLE:
        session.console.document(explanation_text(answer))
    else:
        session.console.document(render(answer, form))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= PORT_MAX):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to {PORT_MAX}")
    return int(text)
