"""Parts of this package that are imported when the first server answers, or never.

What they import is more than all that a start needs; this is the only place that imports parts
of `compose` inside of functions.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore

if TYPE_CHECKING:
    from kong_mesh_cp.compose.resources import Resources
    from kong_mesh_cp.compose.token_trust import TokenTrust


def import_resources() -> type[Resources]:
    # As at the start of the process: there is no garbage in what stays for ever.
    gc.disable()
    try:
        from kong_mesh_cp.compose.resources import Resources
    finally:
        gc.freeze()
        gc.enable()
    return Resources


def import_upkeep() -> Callable[[Settings, ResourceStore], Awaitable[None]]:
    from kong_mesh_cp.compose.upkeep import look_after

    return look_after


async def preload(path: Path, resources: ResourceStore) -> None:
    """See there. It needs every kind of resource, which a start does not wait for otherwise."""
    from kong_mesh_cp.compose.preload import preload

    await preload(path, resources)


def read_token_trust(settings: Settings) -> TokenTrust:
    """See there. Few starts have any, and it imports what reads keys."""
    from kong_mesh_cp.compose.token_trust import read_token_trust

    return read_token_trust(settings)
