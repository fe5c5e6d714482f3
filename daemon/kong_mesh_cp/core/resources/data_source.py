"""DataSource: bytes from a secret, from a file of the control plane, or inline."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.messages import Bytes, Message, oneof


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource(Message):
    """One of the four; none at all is possible on the wire."""

    secret: str | None = oneof("type", number=1)
    # Of the machine of the control plane: a user who writes the resource chooses which of its files
    # is read.
    file: str | None = oneof("type", number=2)
    inline: Bytes | None = oneof("type", number=3, wrapped=True)
    inline_string: str | None = oneof("type", number=4)

    @property
    def is_empty(self) -> bool:
        # Presence is not enough: `secret: ""` names nothing.
        return not (self.secret or self.file or self.inline or self.inline_string)
