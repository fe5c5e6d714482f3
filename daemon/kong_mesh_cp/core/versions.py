"""The version of Kuma whose wire formats are spoken; clients compare it with their own."""

from __future__ import annotations

WIRE_VERSION = "2.10.11"  # of Kuma and Kong Mesh; a client warns when its minor is far from it
