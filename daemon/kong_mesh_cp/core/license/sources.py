"""Where a license can come from, and which source wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from kong_mesh_cp.core.license.fault import LicenseRejectedError


class SourceKind(Enum):
    """By precedence: the first that is set wins. The value is what an operator knows it by."""

    INLINE = "KMESH_LICENSE_INLINE"
    PATH = "KMESH_LICENSE_PATH"
    CREDENTIAL = "systemd credential `license`"
    CONFIG_INLINE = "license.inline"
    CONFIG_PATH = "license.path"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """One source that is set: its document, or why it could not be read."""

    kind: SourceKind
    path: str | None  # the file, for sources that name one
    document: bytes | None = field(repr=False)
    error: LicenseRejectedError | None
    remarks: tuple[str, ...] = ()  # readable, but an operator should know (file mode, owner)

    @property
    def place(self) -> str:
        """`/etc/kong-mesh/license.json (KMESH_LICENSE_PATH)`, or the variable alone."""
        return f"{self.path} ({self.kind.value})" if self.path else self.kind.value
