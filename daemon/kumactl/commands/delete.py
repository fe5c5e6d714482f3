"""`kumactl delete TYPE NAME`."""

from __future__ import annotations

import argparse
from typing import Final

from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl.commands import flags
from kumactl.control_plane import ControlPlane
from kumactl.documents import resource_names
from kumactl.errors import KumactlError, MeshNotFoundError, NotFoundError, RefusedError, UsageError
from kumactl.json_value import count_at, objects_at, text_at
from kumactl.missing_resource import no_such_resource
from kumactl.session import Session

_DATAPLANES_SHOWN_MAX: Final = 5
_HTTP_BAD_REQUEST: Final = 400


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(commands, "delete", _run, "delete a resource")
    parser.add_argument("type", metavar="TYPE", help="as `kumactl get` names it")
    parser.add_argument("name", metavar="NAME")
    flags.add_mesh(parser)


def _run(session: Session) -> None:
    word: str = session.arguments.type
    resource_type = resource_names.type_of_word(word)
    if resource_type.read_only:
        raise UsageError(f"TYPE: {word} is readOnly, can't use it for write action")
    name: str = session.arguments.name
    path = resource_names.item_path(resource_type, session.mesh, name)
    plane = session.control_plane
    try:
        plane.delete(path)
    except MeshNotFoundError:
        raise
    except NotFoundError:
        raise no_such_resource(plane, resource_type, session.mesh, name) from None
    except RefusedError as error:
        if resource_type.name == "Mesh" and error.status == _HTTP_BAD_REQUEST:
            error.message += _proxies_of(plane, name)
        raise
    session.console.line(f'deleted {resource_type.name} "{name}"')


def _proxies_of(plane: ControlPlane, mesh: str) -> str:
    """What keeps a mesh from being deleted, and the commands that end that; "" if nothing does."""
    dataplanes: ResourceType = TYPES["Dataplane"]
    path = resource_names.collection_path(dataplanes, mesh)
    try:
        page = plane.document(path, {"size": str(_DATAPLANES_SHOWN_MAX)})
    except KumactlError:
        return ""
    names = [text_at(each, "name") for each in objects_at(page, "items")]
    total = max(count_at(page, "total"), len(names))
    if not names:
        return ""
    shown = ", ".join(names[:_DATAPLANES_SHOWN_MAX])
    if total > len(names):
        shown += f" and {total - len(names)} others"
    noun = "Dataplane" if total == 1 else "Dataplanes"
    return (
        f": {total} {noun} in it: {shown}. Stop the proxies, then: kumactl delete dataplane"
        f" {names[0] if total == 1 else 'NAME'} --mesh {mesh}"
    )
