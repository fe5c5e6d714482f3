"""`kuma-dp` and `python -m kuma_dp`."""

from __future__ import annotations

import sys

from kuma_dp.cli import main

if __name__ == "__main__":
    sys.exit(main())
