"""Config: one text by its name, which a global control plane hands to its zones."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.schema.messages import Message, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Message):
    """No client sees it; of all of them only `kuma-cluster-id` travels."""

    config: str = proto("", number=1)


KIND: Final[Kind[Config]] = proto_kind("Config", Config)
