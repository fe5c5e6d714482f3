"""`kumactl completion`: scripts for shells, and the words they ask for while one types.

Names of meshes and resources come from the control plane. Whoever types waits for it, so it is
asked once and shortly, and whatever goes wrong means that nothing is offered.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.command_line import completion_scripts
from kong_mesh_cp.core.command_line.command_words import Place
from kong_mesh_cp.core.command_line.command_words import candidates as candidates_of
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl.commands import flags
from kumactl.console import Console
from kumactl.documents import resource_names
from kumactl.errors import KumactlError
from kumactl.json_value import objects_at, text_at
from kumactl.request_log import LogLevel
from kumactl.session import Session

PROGRAM: Final = "kumactl"
SECONDS_MAX: Final = 2.0  # for the control plane to answer
NAMES_MAX: Final = 1000  # a page of its list
_TYPED_COMMANDS: Final = ("get", "delete")
# What a shell may put into a command line as it is: names come from a server.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MESH_FLAGS: Final = ("-m", "--mesh")
_SWITCHING: Final = {("config", "control-planes", word) for word in ("switch", "remove")}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    completion = flags.group(commands, "completion", "print a script for your shell")
    for shell in completion_scripts.SHELLS:
        flags.command(completion, shell, _printing(shell), f"for {shell}")


def _printing(shell: str) -> flags.Run:
    def run(session: Session) -> None:
        session.console.document(completion_scripts.script(shell, PROGRAM))

    return run


def candidates(root: argparse.ArgumentParser, words: Sequence[str], console: Console) -> list[str]:
    """What may stand in place of the last of `words`, which has been begun; sorted."""
    return candidates_of(root, words, lambda place: _names(place, words, console))


def _names(place: Place, words: Sequence[str], console: Console) -> Iterable[str]:
    if place.flag == "" and place.path[:1] and place.path[0] in _TYPED_COMMANDS:
        if not place.positionals:
            return resource_names.by_word()
        if len(place.positionals) > 1:
            return ()
    session = Session(_arguments(words), console)
    try:
        found = _asked(place, session)
    except KumactlError:
        return ()
    finally:
        session.close()
    return [name for name in found if _NAME.fullmatch(name)]


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    """What of a command line that is not complete decides whom to ask, and in which mesh."""
    after = dict(pairwise(words))
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            after[name] = value
    file = after.get("--config-file", "")
    return argparse.Namespace(
        config_file=Path(file) if file else None,
        no_config="--no-config" in words,
        mesh=after.get("--mesh") or after.get("-m"),
        api_timeout=SECONDS_MAX,
        log_level=LogLevel.OFF,
    )


def _asked(place: Place, session: Session) -> Iterable[str]:
    if place.path in _SWITCHING and place.flag == "--name":
        return [entry.name for entry in session.configuration.control_planes]
    named = _type_named(place)
    if named is None:
        return ()
    entry = session.configuration.current()
    path = resource_names.collection_path(named, session.mesh)
    query = [("size", str(NAMES_MAX)), ("name", place.begun)]
    page, _ = session.connect(entry).page(path, query if place.begun else query[:1])
    return [text_at(item, "name") for item in objects_at(page, "items")]


def _type_named(place: Place) -> ResourceType | None:
    """Of which type a name belongs there."""
    if place.flag:
        if place.flag in _MESH_FLAGS:
            return TYPES["Mesh"]
        if place.flag == "--zone":
            return TYPES["Zone"]
        by_name = place.flag == "--name" and place.path == ("generate", "dataplane-token")
        return TYPES["Dataplane"] if by_name else None
    words = resource_names.by_word()
    match place.path, place.positionals:
        case (("get" | "delete",), (word,)):
            return words.get(word.lower())
        case ("inspect", word), ():
            found = words.get(word)
            return found if found and word != resource_names.plural(found) else None
        case ("explain", "dataplane"), ():
            return TYPES["Dataplane"]
        case _:
            return None
