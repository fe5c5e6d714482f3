"""`kumactl version`."""

from __future__ import annotations

import argparse
from typing import Final

from kong_mesh_cp.core.versions import WIRE_VERSION
from kumactl import PACKAGE, PRODUCT, __version__
from kumactl.commands import flags
from kumactl.control_plane import Index
from kumactl.errors import KumactlError
from kumactl.output import json_document
from kumactl.session import Session

_DETAILS: Final = (
    ("Product", PRODUCT),
    ("Version", WIRE_VERSION),
    # The original's lines about its build. Packages of this tool are made from sources that
    # nobody tags: what it was made of is said by its own version, in the last line.
    ("Git Tag", "unknown"),
    ("Git Commit", "unknown"),
    ("Build Date", "unknown"),
    ("Based on Kuma", WIRE_VERSION),
)
_LABEL_COLUMNS: Final = 15


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    version = flags.command(
        commands, "version", _run, "show the versions of this tool and of the server"
    )
    version.add_argument("-a", "--detailed", action="store_true", help="all that is known of both")


def _run(session: Session) -> None:
    detailed: bool = session.arguments.detailed
    if detailed:
        for label, value in _DETAILS:
            session.console.line(f"{label + ':':<{_LABEL_COLUMNS}}{value}")
    else:
        session.console.line(f"Client: {PRODUCT} {WIRE_VERSION}")
    try:
        entry = session.configuration.current()
        index = session.connect(entry, anonymous=True).index()
    except KumactlError as error:
        # The version of this tool is what was asked for; it needs no server.
        session.console.note(f"Unable to connect to control plane: {error.message}")
    else:
        _show_server(session, index, detailed=detailed)
    session.console.line(f"Package: {PACKAGE} {__version__}")


def _show_server(session: Session, index: Index, *, detailed: bool) -> None:
    if detailed:
        session.console.document(f"Server: {json_document(index.document, indent=3)}")
    else:
        session.console.line(f"Server: {index.product or 'unknown'} {index.version or 'unknown'}")
