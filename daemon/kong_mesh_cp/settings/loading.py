"""Puts a configuration together: defaults, then the file, then the environment, then flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.settings.documents import Document, read_document
from kong_mesh_cp.settings.forms import Secret
from kong_mesh_cp.settings.gathering import Gathering, Reading
from kong_mesh_cp.settings.model import Settings, rows
from kong_mesh_cp.settings.options import MEMBERS, camel_case
from kong_mesh_cp.settings.problems import Problem, SettingsRejectedError

DEFAULT_FILE = Path("/etc/kong-mesh/kong-mesh-cp.toml")
CONFIG_FILE_FLAG = "--config-file"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseTexts:
    """What was given for the license, place by place, the losers too. "" is not set.

    Nothing of it is shown: each may be the license itself, in the wrong place by mistake.
    """

    inline: str = field(repr=False)  # KMESH_LICENSE_INLINE
    path: str = field(repr=False)  # KMESH_LICENSE_PATH
    config_inline: str = field(repr=False)  # license.inline of the file
    config_path: str = field(repr=False)  # license.path of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A usable configuration and what is to be said about it."""

    settings: Settings
    warnings: tuple[str, ...]  # lines for the log at WARNING, each with its code
    notes: tuple[str, ...] = ()  # likewise, at INFO: what harms nobody
    origins: Mapping[str, str]  # by path: `default`, `file:PATH:apiServer.http.port`, …
    license_texts: LicenseTexts
    file: Path | None  # the file that was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """All that a reading found. `loaded` is None where there are problems."""

    loaded: Loaded | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def load(
    *,
    arguments: Mapping[str, str | None],
    environ: MutableMapping[str, str],
    default_file: Path = DEFAULT_FILE,
) -> Loaded:
    """Read everything an operator set.

    `arguments` holds the flags by name (`--config-file`, `--log-level`); None is a flag not given.
    The variables of secrets are removed from `environ`, also when something is wrong: what the
    process starts later, and readers of its environment, have no use for them.
    Raises: SettingsRejectedError with all problems, and with the warnings.
    """
    found = examine(arguments=arguments, environ=environ, default_file=default_file)
    if found.loaded is None:
        raise SettingsRejectedError(found.problems, found.warnings)
    return found.loaded


def examine(
    *,
    arguments: Mapping[str, str | None],
    environ: MutableMapping[str, str],
    default_file: Path = DEFAULT_FILE,
) -> Examined:
    """As `load`, but hands the problems back."""
    gathering = Gathering()
    gathering.add_environment(environ)
    for variable in secret_variables():
        environ.pop(variable, None)
    document: Document | None = None
    try:
        document = _document(arguments.get(CONFIG_FILE_FLAG), default_file)
    except SettingsRejectedError as error:
        gathering.problems.extend(error.problems)
    if document is not None:
        gathering.add_document(document)
    gathering.add_flags({k: v for k, v in arguments.items() if k != CONFIG_FILE_FLAG})
    gathering.settle_work_dir(environ)
    gathering.tell_doubts()
    loaded: Loaded | None = None
    if not gathering.problems:
        settings = _build(Settings, (), gathering.winners())
        gathering.check_together(settings)
        loaded = _loaded(settings, gathering, document)
    return Examined(
        loaded=None if gathering.problems else loaded,
        problems=tuple(gathering.problems),
        warnings=tuple(gathering.warnings),
        notes=tuple(gathering.notes),
    )


def _loaded(settings: Settings, gathering: Gathering, document: Document | None) -> Loaded:
    return Loaded(
        settings=settings,
        warnings=tuple(gathering.warnings),
        notes=tuple(gathering.notes),
        origins=_origins(gathering.winners()),
        license_texts=_license_texts(gathering),
        file=document.path if document else None,
    )


def secret_variables() -> tuple[str, ...]:
    """`KMESH_LICENSE_INLINE` and its like."""
    variables = (row.option.environment for row in rows() if row.option.secret)
    return tuple(variable for variable in variables if variable)


def _document(named: str | None, default_file: Path) -> Document | None:
    if named is None:
        return read_document(default_file)
    document = read_document(Path(named))
    if document is None:
        message = f"the file {printable(Path(named))} ({CONFIG_FILE_FLAG}) does not exist"
        remedy = f"Write one with: kong-mesh-cp config init --output {printable(Path(named))}"
        raise SettingsRejectedError([Problem("config-missing", message, remedy)])
    return document


def _build(section: type[T], above: tuple[str, ...], values: Mapping[str, Reading]) -> T:
    hints = get_type_hints(section)
    arguments: dict[str, object] = {}
    for one in dataclasses.fields(section):  # type: ignore[arg-type]
        attributes = (*above, one.name)
        path = ".".join(camel_case(name) for name in attributes)
        if MEMBERS in one.metadata:
            given = {name: values.get(f"{path}.{name}") for name in one.metadata[MEMBERS]}
            changed = {name: reading.value for name, reading in given.items() if reading}
            default: Any = one.default
            arguments[one.name] = dataclasses.replace(default, **changed)
        elif dataclasses.is_dataclass(hints[one.name]):
            arguments[one.name] = _build(hints[one.name], attributes, values)
        elif path in values:
            arguments[one.name] = values[path].value
    return section(**arguments)


def _origins(winners: Mapping[str, Reading]) -> Mapping[str, str]:
    return {
        row.path: winners[row.path].origin if row.path in winners else "default" for row in rows()
    }


def _license_texts(gathering: Gathering) -> LicenseTexts:
    environment, file = gathering.environment, gathering.file
    return LicenseTexts(
        inline=_license_text(environment.get("license.inline")),
        path=_license_text(environment.get("license.path")),
        config_inline=_license_text(file.get("license.inline")),
        config_path=_license_text(file.get("license.path")),
    )


def _license_text(reading: Reading | None) -> str:
    if reading is None:
        return ""
    return reading.value.reveal() if isinstance(reading.value, Secret) else str(reading.value)
