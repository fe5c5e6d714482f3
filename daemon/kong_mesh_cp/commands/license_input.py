"""Which document a `license` command is about: a file, standard input, or what is set here."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from dataclasses import field
from pathlib import Path

from kong_mesh_cp.compose.preparing import license_sources
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.document import LICENSE_BYTES_MAX
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.core.license.sources import Choice, choose
from kong_mesh_cp.settings.loading import CONFIG_FILE_FLAG, load
from kong_mesh_cp.settings.service_manager import ServiceEnvironment
from kong_mesh_cp.shell.license_file.read import read_license_file

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A document, or why it could not be had, and where that was."""

    source: str
    document: bytes | None = field(repr=False)
    error: LicenseRejectedError | None = None
    remarks: tuple[str, ...] = ()  # about the file itself
    sources: Choice | None = None  # how it was chosen, when no file was named


def from_argument(name: str) -> Input:
    """The file `name`, read as the daemon reads it; `-` is standard input."""
    if name == STANDARD_INPUT:
        document = sys.stdin.buffer.read(LICENSE_BYTES_MAX + 1)
        return Input(source="standard input", document=document)
    path = Path(name)
    source = printable(path)
    try:
        content = read_license_file(path, source=source)
    except LicenseRejectedError as error:
        return Input(source=source, document=None, error=error)
    return Input(source=source, document=content.document, remarks=content.remarks)


def from_sources(environ: MutableMapping[str, str], config_file: str | None) -> Input | None:
    """What a daemon with this environment and configuration would take; None if nothing is set.

    Raises: SettingsRejectedError.
    """
    loaded = load(arguments={CONFIG_FILE_FLAG: config_file}, environ=environ)
    service = ServiceEnvironment.read(environ, pid=os.getpid())
    choice = choose(license_sources(loaded, service).read())
    if choice is None:
        return None
    winner = choice.winner
    return Input(
        source=winner.source,
        document=winner.document,
        error=winner.error,
        remarks=winner.remarks,
        sources=choice,
    )
