"""`kong-mesh-cp`, and `python -m kong_mesh_cp`."""

from __future__ import annotations

import sys

from kong_mesh_cp.cli import main

if __name__ == "__main__":
    sys.exit(main())
