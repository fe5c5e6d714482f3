"""Reads every license source that is set, in order of precedence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.formats.value_shapes import could_be_file, has_blank_ends
from kong_mesh_cp.core.license import paste_mistakes
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.sources import SourceKind, SourceReading
from kong_mesh_cp.shell.license_file.credential import Credential
from kong_mesh_cp.shell.license_file.read import read_license_file

_PATH_CHARACTERS_MAX = 4096  # PATH_MAX


class SystemLicenseSources:
    """The port LicenseSources on this machine. Values are those found at start; "" means unset.

    `credential_origin` is the file that systemd copied the credential from.
    Relative paths stay relative to the working directory of the start. What is kept of documents
    given as text is never shown.
    """

    def __init__(
        self,
        *,
        inline: str | None = None,
        path: str | None = None,
        credentials_directory: str | None = None,
        credential_origin: str | None = None,
        config_inline: str | None = None,
        config_path: str | None = None,
    ) -> None:
        self._texts = {
            SourceKind.INLINE: inline or "",
            SourceKind.PATH: path or "",
            SourceKind.CONFIG_INLINE: config_inline or "",
            SourceKind.CONFIG_PATH: config_path or "",
        }
        self._start_folder = Path.cwd()
        self._credential: Credential | None = None
        if credentials_directory:
            self._credential = Credential(
                self._start_folder / credentials_directory,
                Path(credential_origin) if credential_origin else None,
                lambda path: self._read_file(SourceKind.CREDENTIAL, str(path)),
            )

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files to watch, whether they exist or not."""
        named = (
            self._start_folder / text
            for kind in (SourceKind.PATH, SourceKind.CONFIG_PATH)
            if (text := self._texts[kind]) and _could_be_a_path(text)
        )
        return (*named, *(self._credential.paths if self._credential else ()))

    def read(self) -> Sequence[SourceReading]:
        """Every source that is set, by precedence, each with its document or its error."""
        readings = (self._read(kind, self._texts.get(kind, "")) for kind in SourceKind)
        return tuple(reading for reading in readings if reading is not None)

    def _read(self, kind: SourceKind, text: str) -> SourceReading | None:
        if kind is SourceKind.CREDENTIAL:
            return self._credential.read() if self._credential else None
        if not text:
            return None
        match kind:
            case SourceKind.INLINE | SourceKind.CONFIG_INLINE:
                # The environment may hold bytes that are no UTF-8: the verifier says so.
                document = text.encode("utf-8", "surrogateescape")
                return SourceReading(kind=kind, path=None, document=document, error=None)
            case SourceKind.PATH | SourceKind.CONFIG_PATH:
                return self._read_named(kind, text)

    def _read_named(self, kind: SourceKind, text: str) -> SourceReading:
        if not _could_be_a_path(text):
            return SourceReading(kind=kind, path=None, document=None, error=_no_path(kind, text))
        return self._read_file(kind, text)

    def _read_file(self, kind: SourceKind, text: str) -> SourceReading:
        path = self._start_folder / text
        shown = printable(path)
        if has_blank_ends(text):
            shown = repr(shown)  # else nobody sees it
        named = SourceReading(kind=kind, path=shown, document=None, error=None)
        try:
            content = read_license_file(path, source=named.source)
        except LicenseRejectedError as error:
            return SourceReading(
                kind=kind, path=named.path, document=None, error=_with_path_hint(error, text)
            )
        return SourceReading(
            kind=kind,
            path=named.path,
            document=content.document,
            error=None,
            remarks=content.remarks,
        )


def _could_be_a_path(text: str) -> bool:
    """False for what is probably a license or a piece of one: it must not be shown as a path."""
    if len(text) > _PATH_CHARACTERS_MAX or "$(" in text or not could_be_file(text):
        return False
    return not paste_mistakes.is_document(text)


def _no_path(kind: SourceKind, text: str) -> LicenseRejectedError:
    return LicenseRejectedError(
        Fault.PATH_NOT_FOUND,
        f"{kind.value} does not hold the path of a file",
        hint=paste_mistakes.hint_for(kind, text) or "Set it to the path of the license file.",
    )


def _with_path_hint(error: LicenseRejectedError, text: str) -> LicenseRejectedError:
    hint = paste_mistakes.hint_for(SourceKind.PATH, text)
    if hint is None or error.fault is not Fault.PATH_NOT_FOUND:
        return error
    return LicenseRejectedError(error.fault, error.message, hint=hint)
