"""What a person reads who starts the daemon by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from kong_mesh_cp import __version__
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.term import Entitlement, days_left, instant, name
from kong_mesh_cp.usecases.license.views import is_test

STDOUT = 1


def show(text: str) -> None:
    """Write `text` to stdout. A closed stdout is no reason to stop."""
    with suppress(OSError):
        os.write(STDOUT, f"{text}\n".encode())


def banner(entitlement: Entitlement, now: datetime, addresses: Mapping[str, str]) -> str:
    """Version and license on one line, the listeners on the next."""
    called = name(entitlement).removeprefix("the ")
    test = "TEST " if is_test(entitlement) else ""
    until = instant(entitlement.expires_at)
    first = (
        f"kong-mesh-cp {__version__} · {test}{called}: {entitlement.dataplanes} data plane proxies,"
        f" {days_left(entitlement.expires_at, now)} days left (until {until})"
    )
    lines = [
        first,
        "  " + "      ".join(f"{listener}  {at}" for listener, at in addresses.items()),
    ]
    if isinstance(entitlement, BundledLicense):
        lines.append("  an issued license: KMESH_LICENSE_PATH=/path/to/license.json scripts/run")
    return "\n".join(lines)
