"""Which wire formats are spoken; clients compare this with their own version."""

from __future__ import annotations

WIRE_VERSION = "2.10.11"  # of Kuma and Kong Mesh; a client warns when its minor is far from it
