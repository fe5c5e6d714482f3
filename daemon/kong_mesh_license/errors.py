"""What the vendor's tool refuses to do."""

from __future__ import annotations

from kong_mesh_cp.core.errors import ControlPlaneError


class VendorToolError(ControlPlaneError):
    """A key, keyring or license could not be read or made; nothing was written."""
