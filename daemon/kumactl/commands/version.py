"""`kumactl version`."""

from __future__ import annotations

import argparse

from kong_mesh_cp.core.versions import WIRE_VERSION
from kumactl import PRODUCT
from kumactl.commands import flags
from kumactl.errors import KumactlError
from kumactl.session import Session


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    flags.command(commands, "version", _run, "show the versions of this tool and of the server")


def _run(session: Session) -> None:
    session.console.line(f"Client: {PRODUCT} {WIRE_VERSION}")
    try:
        entry = session.configuration.current()
        index = session.connect(entry, anonymous=True).index()
    except KumactlError as error:
        # The version of this tool is what was asked for; it needs no server.
        session.console.note(f"Unable to connect to control plane: {error.message}")
        return
    session.console.line(f"Server: {index.product or 'unknown'} {index.version or 'unknown'}")
