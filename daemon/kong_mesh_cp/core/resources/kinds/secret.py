"""Secret and GlobalSecret: bytes that only administrators see (docs/wire/meshes.md#secrets)."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.schema.messages import Bytes, Message, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Message):
    """A secret: bytes that only the control plane and administrators read."""

    data: Bytes | None = proto(number=1, repr=False)  # never in a log or a traceback


KIND: Final[Kind[Secret]] = proto_kind("Secret", Secret)
GLOBAL_KIND: Final[Kind[Secret]] = proto_kind("GlobalSecret", Secret)
