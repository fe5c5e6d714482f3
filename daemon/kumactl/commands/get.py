"""`kumactl get TYPES` and `kumactl get TYPE NAME`."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.formats.near_words import nearest
from kong_mesh_cp.core.resources.registry import ResourceType
from kumactl.commands import flags
from kumactl.documents import resource_names
from kumactl.errors import NotFoundError, UsageError
from kumactl.json_value import JsonObject, objects_at
from kumactl.output import Format, render
from kumactl.session import Session
from kumactl.tables.resource_tables import footer, resource_table

_HELP_COLUMNS: Final = 80


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(commands, "get", _run, "show resources")
    parser.epilog = _types()
    flags.keep_lines(parser)
    parser.add_argument("type", metavar="TYPE", help="`meshes` lists, `mesh NAME` shows one")
    parser.add_argument("name", metavar="NAME", nargs="?")
    flags.add_mesh(parser)
    flags.add_output(parser, unsaid=None)
    flags.add_page(parser)


def instead_of(word: str) -> str:
    """What to say to one who wrote a type where a command belongs: `kumactl meshes`."""
    found = nearest(word, resource_names.by_word())
    return "" if found is None else f'; did you mean "kumactl get {found}"?'


def _types() -> str:
    """The types in groups, for `--help`."""
    lines = ["types, as lists; in parentheses what is short for them:"]
    for heading, words in resource_names.by_group().items():
        lines += ["", f"  {heading}:"]
        lines += textwrap.wrap(
            ", ".join(words),
            _HELP_COLUMNS,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    lines += [
        "",
        "One of them has the word for one, and its name: kumactl get mesh default.",
    ]
    lines += ["Any type may also be written as in a document: kumactl get MeshTimeout."]
    return "\n".join(lines)


def _run(session: Session) -> None:
    word: str = session.arguments.type
    resource_type = resource_names.type_of_word(word)
    if session.arguments.name is not None:
        _show_one(session, resource_type, session.arguments.name)
    elif word == resource_names.singular(resource_type) != resource_names.plural(resource_type):
        raise UsageError(
            f"a name is missing: kumactl get {word} NAME,"
            f" or kumactl get {resource_names.plural(resource_type)} for all"
        )
    else:
        _show_all(session, resource_type)


def _show_one(session: Session, resource_type: ResourceType, name: str) -> None:
    mesh = session.mesh
    path = resource_names.item_path(resource_type, mesh, name)
    resource = session.control_plane.find(path)
    if resource is None:
        where = f" in {mesh} mesh" if resource_type.is_mesh_scoped else ""
        raise NotFoundError(f"No resources found{where}")
    _show(session, resource_type, resource, [resource])


def _show_all(session: Session, resource_type: ResourceType) -> None:
    query = flags.page_query(session.arguments)
    path = resource_names.collection_path(resource_type, session.mesh)
    page, following = session.control_plane.page(path, query)
    _show(session, resource_type, page, objects_at(page, "items"), footer(following))


def _show(
    session: Session,
    resource_type: ResourceType,
    answer: JsonObject,
    items: Sequence[JsonObject],
    below: str = "",
) -> None:
    """Without `-o` a table may have more columns than the original's, which scripts may count."""
    form: Format | None = session.arguments.output
    if form is None or form is Format.TABLE:
        table = resource_table(resource_type, items, session.console.now(), wide=form is None)
        session.console.document(table)
        session.console.document(below)
    else:
        session.console.document(render(answer, form))
