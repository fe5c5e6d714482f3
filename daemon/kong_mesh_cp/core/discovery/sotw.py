"""A stream in the variant "state of the world": each response holds all that is subscribed."""

from __future__ import annotations

from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream


class SotwStream(OrderedStream):
    """One stream of one client."""
