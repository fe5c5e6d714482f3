"""A proxy that is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedProxy:
    """A proxy on a stream: which it is, and what it says of itself."""

    mesh: str  # "" of a zone proxy
    name: str
    metadata: ProxyMetadata
    kind: ProxyKind = ProxyKind.DATAPLANE
