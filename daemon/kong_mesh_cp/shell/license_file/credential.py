"""The license that systemd hands over as a credential, and the file that it copied it from.

systemd copies a credential when the service starts and not again (systemd.exec(5)). Read alone, the
copy would hide every later change of the file: no reload, and a wrong answer to "would a restart
survive?". The unit therefore names the file as well, and makes it readable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from kong_mesh_cp.core.license.fault import Fault
from kong_mesh_cp.core.license.sources import SourceReading

CREDENTIAL_NAME = "license"
_NOT_SET = (b"", b"{}")  # the unit's SetCredential= default, so that the file is optional

ReadFile = Callable[[Path], SourceReading]


class Credential:
    """One source: the copy in `directory`, and `origin` as long as it was the copy's original."""

    def __init__(self, directory: Path, origin: Path | None, read: ReadFile) -> None:
        self._copy = directory / CREDENTIAL_NAME
        self._origin = origin
        self._read = read
        # A drop-in can load the credential from elsewhere; then the file named is none of ours.
        self._follows = origin is not None and self._are_the_same(origin)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files to watch."""
        return (self._copy,) if self._origin is None else (self._copy, self._origin)

    def read(self) -> SourceReading | None:
        """What a start right now would find; None: no license is handed over."""
        copy = _if_set(self._read(self._copy))
        if self._origin is None or not self._follows:
            return copy
        origin = self._read(self._origin)
        if origin.error is None or origin.error.fault is not Fault.UNREADABLE:
            return _if_set(origin)
        if copy is None:
            return None
        remark = (
            "was read from the copy that systemd made at the start, because this user cannot read"
            f" {origin.path}: changes are not seen. Run: systemctl reload kong-mesh-cp"
        )
        return dataclasses.replace(copy, remarks=(*copy.remarks, remark))

    def _are_the_same(self, origin: Path) -> bool:
        found, copy = self._read(origin), self._read(self._copy)
        if found.error is not None and found.error.fault is Fault.UNREADABLE:
            return True  # nothing speaks against it; `read` says so as long as it lasts
        return _content(found) == _content(copy)


def _content(reading: SourceReading) -> bytes:
    present = _if_set(reading)
    return b"" if present is None or present.document is None else present.document


def _if_set(reading: SourceReading) -> SourceReading | None:
    if reading.error is not None:
        return None if reading.error.fault is Fault.PATH_NOT_FOUND else reading
    empty = reading.document is not None and reading.document.strip() in _NOT_SET
    return None if empty else reading
