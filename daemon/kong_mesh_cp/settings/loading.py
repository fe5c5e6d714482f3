"""Puts a configuration together: defaults, then the file, then the environment, then flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_type_hints

from kong_mesh_cp.core.license.sources import SourceKind
from kong_mesh_cp.settings.documents import Document, read_document, shown_path
from kong_mesh_cp.settings.forms import Secret
from kong_mesh_cp.settings.gathering import Gathering, Reading
from kong_mesh_cp.settings.model import Settings, camel_case, rows
from kong_mesh_cp.settings.problems import Problem, SettingsRejectedError

DEFAULT_FILE = Path("/etc/kong-mesh/kong-mesh-cp.toml")
CONFIG_FILE_FLAG = "--config-file"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensePlace:
    """A place where a license was named, as written and not yet read: exactly one of the two."""

    kind: SourceKind
    inline: Secret | None = None
    path: str | None = field(default=None, repr=False)  # may be the license itself, by mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A usable configuration and what is to be said about it."""

    settings: Settings
    warnings: tuple[str, ...]  # lines for the log at WARNING, each with its code
    origins: Mapping[str, str]  # by path: `default`, `file:PATH:apiServer.http.port`, …
    license_places: tuple[LicensePlace, ...]  # by precedence; without systemd's credential
    file: Path | None  # the file that was read


def load(
    *,
    arguments: Mapping[str, str | None],
    environ: MutableMapping[str, str],
    default_file: Path = DEFAULT_FILE,
) -> Loaded:
    """Read everything an operator set.

    `arguments` holds the flags by name (`--config-file`, `--log-level`); None is a flag not given.
    `KMESH_LICENSE_INLINE` is removed from `environ`, also when something is wrong: what the process
    starts later, and whoever reads its environment, has no use for it.
    Raises: SettingsRejectedError with all problems.
    """
    loaded, problems = examine(arguments=arguments, environ=environ, default_file=default_file)
    if loaded is None:
        raise SettingsRejectedError(problems)
    return loaded


def examine(
    *,
    arguments: Mapping[str, str | None],
    environ: MutableMapping[str, str],
    default_file: Path = DEFAULT_FILE,
) -> tuple[Loaded | None, tuple[Problem, ...]]:
    """As `load`, but hands the problems back; without problems the first part is there."""
    gathering = Gathering()
    gathering.add_environment(environ)
    environ.pop("KMESH_LICENSE_INLINE", None)
    document: Document | None = None
    try:
        document = _document(arguments.get(CONFIG_FILE_FLAG), default_file)
    except SettingsRejectedError as error:
        gathering.problems.extend(error.problems)
    if document is not None:
        gathering.add_document(document)
    gathering.add_flags({k: v for k, v in arguments.items() if k != CONFIG_FILE_FLAG})
    gathering.settle_work_dir(environ)
    if gathering.problems:
        return None, tuple(gathering.problems)
    settings = _build(Settings, (), gathering.winners())
    gathering.check_together(settings)
    if gathering.problems:
        return None, tuple(gathering.problems)
    loaded = Loaded(
        settings=settings,
        warnings=tuple(gathering.warnings),
        origins=_origins(gathering.winners()),
        license_places=_license_places(gathering),
        file=document.path if document else None,
    )
    return loaded, ()


def _document(named: str | None, default_file: Path) -> Document | None:
    if named is None:
        return read_document(default_file)
    document = read_document(Path(named))
    if document is None:
        message = f"the file {shown_path(Path(named))} ({CONFIG_FILE_FLAG}) does not exist"
        remedy = f"Write one with: kong-mesh-cp config init --output {shown_path(Path(named))}"
        raise SettingsRejectedError([Problem("config-missing", message, remedy)])
    return document


def _build(section: type[T], above: tuple[str, ...], values: Mapping[str, Reading]) -> T:
    hints = get_type_hints(section)
    arguments: dict[str, object] = {}
    for one in dataclasses.fields(section):  # type: ignore[arg-type]
        attributes = (*above, one.name)
        path = ".".join(camel_case(name) for name in attributes)
        if dataclasses.is_dataclass(hints[one.name]):
            arguments[one.name] = _build(hints[one.name], attributes, values)
        elif path in values:
            arguments[one.name] = values[path].value
    return section(**arguments)


def _origins(winners: Mapping[str, Reading]) -> Mapping[str, str]:
    return {
        row.path: winners[row.path].origin if row.path in winners else "default" for row in rows()
    }


def _license_places(gathering: Gathering) -> tuple[LicensePlace, ...]:
    """Every place, the losers too: two that differ are worth a warning."""
    by_kind = {
        SourceKind.INLINE: gathering.environment.get("license.inline"),
        SourceKind.PATH: gathering.environment.get("license.path"),
        SourceKind.CONFIG_INLINE: gathering.file.get("license.inline"),
        SourceKind.CONFIG_PATH: gathering.file.get("license.path"),
    }
    places = []
    for kind, reading in by_kind.items():
        value = reading.value if reading else None
        if isinstance(value, Secret):
            places.append(LicensePlace(kind=kind, inline=value))
        elif isinstance(value, str):
            places.append(LicensePlace(kind=kind, path=value))
    return tuple(places)
