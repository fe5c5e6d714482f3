"""Zone: a part of a mesh that spans several control planes (docs/wire/dataplanes.md#zone)."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.schema.messages import Message, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(Message):
    """A zone of a deployment of several; only a global control plane makes them."""

    enabled: bool | None = proto(number=1)  # unset is true

    @property
    def is_enabled(self) -> bool:
        return self.enabled is not False


KIND: Final[Kind[Zone]] = proto_kind("Zone", Zone)
