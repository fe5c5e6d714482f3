"""A proxy that is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedProxy:
    """A proxy on a stream: which it is, and what it says of itself."""

    mesh: str
    name: str
    metadata: ProxyMetadata
