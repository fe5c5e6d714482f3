"""The user's command line: speaks HTTP to a control plane, and shares only its pure core."""

from __future__ import annotations

__version__ = "0.1.0"
PACKAGE = "kong-mesh-cp"  # the package that this tool comes with
PRODUCT = "Kong Mesh"  # what a control plane calls itself at `GET /`
