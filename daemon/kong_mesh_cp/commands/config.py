"""`kong-mesh-cp config init|show|convert|check`: writes, shows and checks configurations."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.commands import service
from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.documents import read_document
from kong_mesh_cp.settings.flags import add_flags, flags_of, process_environment
from kong_mesh_cp.settings.forms import Secret
from kong_mesh_cp.settings.gathering import Gathering
from kong_mesh_cp.settings.loading import CONFIG_FILE_FLAG, DEFAULT_FILE, examine, load
from kong_mesh_cp.settings.names import rows_by_variable

if TYPE_CHECKING:
    from kong_mesh_cp.settings import writing
else:
    writing = lazy_import("kong_mesh_cp.settings.writing")

READABLE_MODE = 0o644
SECRET_MODE = 0o640  # a converted file can hold the license, or the password of PostgreSQL


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("config", help="write, show and check configuration files")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    init = actions.add_parser("init", help="write a commented sample with every setting")
    init.add_argument("-o", "--output", metavar="FILE", help="a new file (default: stdout)")
    init.set_defaults(run=_init)

    show = actions.add_parser("show", help="the values in force and where each came from")
    add_flags(show)
    _add_this_environment(show)
    show.add_argument("--output", choices=("toml", "json"), default="toml")
    show.add_argument(
        "--origins", action="store_true", help="with JSON too: where each value came from"
    )
    show.set_defaults(run=_show)

    convert = actions.add_parser("convert", help="turn a Kuma YAML into TOML")
    convert.add_argument("kuma_yaml", metavar="KUMA_YAML")
    convert.add_argument("-o", "--output", metavar="FILE", help="a new file (default: stdout)")
    convert.set_defaults(run=_convert)

    check = actions.add_parser(
        "check", help="say everything that is wrong, as a start from this shell would find it"
    )
    check.add_argument("-c", CONFIG_FILE_FLAG, dest="named", metavar="FILE", help="as FILE")
    check.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help=f"TOML, or a Kuma YAML (default: {DEFAULT_FILE}, where that exists)",
    )
    _add_this_environment(check)
    check.set_defaults(run=_check)


def _add_this_environment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        service.THIS_ENVIRONMENT,
        action="store_true",
        help=f"look at this environment, also where {service.UNIT} is installed",
    )


def _is_about_the_service(arguments: argparse.Namespace, named: Iterable[str | None]) -> bool:
    """Whether nothing is named here, by a flag or a variable, and the machine has the service."""
    if arguments.this_environment or any(value is not None for value in named):
        return False
    environ = process_environment()
    return not any(map(environ.get, rows_by_variable())) and service.is_installed()


def _init(arguments: argparse.Namespace) -> int:
    _write(arguments.output, writing.sample(), READABLE_MODE)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    flags = flags_of(arguments)
    if _is_about_the_service(arguments, flags.values()):
        words = ["config", "show", "--output", arguments.output]
        return service.ask_as_service([*words, *(["--origins"] if arguments.origins else [])])
    loaded = load(arguments=flags, environ=process_environment())
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for note in loaded.notes:
        print(f"note: {note}", file=sys.stderr)
    if arguments.output == "json":
        origins = loaded.origins if arguments.origins else None
        print(writing.effective_json(loaded.settings, origins), end="")
    else:
        print(writing.in_force(loaded.settings, loaded.origins), end="")
    return 0


def _convert(arguments: argparse.Namespace) -> int:
    path = Path(arguments.kuma_yaml)
    document = read_document(path, kuma=True)
    if document is None:
        raise ConfigurationError(
            f"the file {printable(path)} does not exist",
            code="config-missing",
            hint="Name the kuma-cp.conf.yml to convert.",
        )
    gathering = Gathering()
    gathering.add_document(document)
    secrets = [path for path, one in gathering.file.items() if isinstance(one.value, Secret)]
    mode = SECRET_MODE if secrets else READABLE_MODE
    _write(arguments.output, writing.converted(gathering.file), mode)
    for line in _left_out(gathering):
        print(f"left out: {line}", file=sys.stderr)
    for setting in secrets:
        print(f"note: the result holds {setting}, readable as its place allows", file=sys.stderr)
    return 0


def _left_out(gathering: Gathering) -> Iterator[str]:
    for problem in gathering.problems:
        yield f"{problem.message}. {problem.remedy}"
    for path in gathering.unknown:
        yield f"{printable(path)}: nobody knows this name"
    # One line for each part of the tree: a full Kuma file has hundreds of settings.
    parts: dict[str, list[str]] = {}
    for path in gathering.unused:
        part, _, name = path.partition(".")
        parts.setdefault(part, []).append(name)
    for part, names in parts.items():
        listed = printable(", ".join(name or part for name in names))
        yield f"{part}, known to Kuma and not used by this version: {listed}"


def _check(arguments: argparse.Namespace) -> int:
    file = arguments.file or arguments.named
    if _is_about_the_service(arguments, [file]):
        return service.ask_as_service(["config", "check"])
    found = examine(arguments={CONFIG_FILE_FLAG: file}, environ=process_environment())
    for problem in found.problems:
        print(f"error: {problem.line}")
    for warning in found.warnings:
        print(f"warning: {warning}")
    for note in found.notes:
        print(f"note: {note}")
    loaded = found.loaded
    if loaded is None:
        return EX_CONFIG
    source = printable(loaded.file) if loaded.file else "no file, the defaults"
    whose = "this environment" if arguments.this_environment else "the environment of this shell"
    print(f"ok: {source}, with {whose}")
    return 0


def _write(name: str | None, text: str, mode: int) -> None:
    """To stdout, or to a file that does not exist yet: a configuration is never overwritten."""
    if name is None:
        print(text, end="")
        return
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(
            f"the file {printable(name)} exists already",
            code="config-exists",
            hint="Name a new file, or move that one away.",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(
            f"the file {printable(name)} cannot be written: {reason}",
            code="config-unwritable",
            hint="Name a file in a folder that you may write.",
        ) from None
