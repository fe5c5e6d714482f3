"""A stream in the incremental variant: each response holds what changed."""

from __future__ import annotations

from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream


class DeltaStream(OrderedStream):
    """One stream of one client."""
