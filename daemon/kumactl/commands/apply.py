"""`kumactl apply -f …`: creates and changes resources, or says what it would change."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kong_mesh_cp.core.lazy_import import lazy_import
from kumactl.commands import flags
from kumactl.control_plane import ControlPlane
from kumactl.documents import sources, templates, yaml_text
from kumactl.documents.comparison import comparable, pending_changes, shows_masks
from kumactl.documents.initial_policies import made_with_mesh
from kumactl.documents.resource_document import ResourceDocument, read_resources
from kumactl.errors import KumactlError, MeshNotFoundError, UsageError
from kumactl.session import Session

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds import catalogue
else:
    catalogue = lazy_import("kong_mesh_cp.core.resources.kinds.catalogue")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(commands, "apply", _run, "create or change resources")
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        required=True,
        metavar="FILE",
        help="a file, a folder, a URL, or - for standard input; may be repeated",
    )
    parser.add_argument(
        "-v",
        "--var",
        action="extend",
        default=[],
        type=flags.pairs,
        metavar="NAME=VALUE",
        help=f"fills in {{{{ NAME }}}}; {flags.GIVEN}; may be repeated",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would change, and change nothing"
    )
    flags.add_mesh(parser)


def _run(session: Session) -> None:
    # All of it is read before any of it is sent: a slip in the last file leaves no half.
    given = list(_resources(session))
    if not given:
        raise UsageError("there is no resource in what -f names")
    meshes = {document.name for document in given if document.type.name == "Mesh"}
    for number, document in enumerate(given, start=1):
        try:
            if session.arguments.dry_run:
                _foretell(session, document, meshes)
            else:
                _apply(session, document)
        except KumactlError:
            if len(given) > 1:
                session.console.note(f"{document.subject}, {number} of {len(given)}:")
            raise


def _resources(session: Session) -> Iterator[ResourceDocument]:
    variables = session.named_values("--var", session.arguments.var)
    for name in session.arguments.file:
        timeout_seconds: float = session.arguments.api_timeout
        if name == "-":
            session.stdin.take("-f")
        for source in sources.read(name, session.console.stdin, timeout_seconds=timeout_seconds):
            text = templates.fill(source.text, variables, source.name)
            values = yaml_text.parse_documents(text, source.name)
            for number, value in enumerate(values, start=1):
                shown = source.name if len(values) == 1 else f"{source.name}, document {number}"
                yield from read_resources(value, shown, mesh=session.mesh)


def _apply(session: Session, document: ResourceDocument) -> None:
    plane = session.control_plane
    before = plane.find(document.path)
    stored = plane.put(document.path, document.body)
    for warning in stored.warnings:
        session.console.note(f"Warning: {warning}")
    if stored.created or before is None:
        children = made_with_mesh(plane, document)
        session.console.line(f"{document.subject} created" + (f": {children}" if children else ""))
        return
    after = _read_back(plane, document)
    # What is masked for us may have changed as well.
    same = after is not None and not shows_masks(after) and comparable(after) == comparable(before)
    session.console.line(f"{document.subject} {'unchanged' if same else 'updated'}")


def _read_back(plane: ControlPlane, document: ResourceDocument) -> dict[str, object] | None:
    # The change is made; that it cannot be read back is no failure of this command.
    try:
        found = plane.find(document.path)
    except KumactlError:
        return None
    return dict(found) if found is not None else None


def _foretell(session: Session, document: ResourceDocument, meshes: set[str]) -> None:
    # Late: the specs of all types are most of what this program could import.
    try:
        stored = session.control_plane.find(document.path)
    except MeshNotFoundError:
        if document.mesh not in meshes:
            raise
        stored = None  # its mesh is made by the same run
    found = pending_changes(stored, document, catalogue.KINDS)
    if stored is None:
        session.console.line(f"{document.subject} would be created")
    elif not found:
        session.console.line(f"{document.subject} unchanged")
    elif len(found) == 1:
        session.console.line(f"{document.subject} would change: {found[0].line}")
    else:
        session.console.line(f"{document.subject} would change:")
        for change in found:
            session.console.line(f"  {change.line}")
