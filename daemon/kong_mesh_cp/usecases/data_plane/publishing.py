"""What connected proxies are to be told: made anew for whom a change touches, and for nobody else.

Changes come from `Worlds`; what is made goes to the streams, which wait for it. Of the time that
the event loop has, this takes SLICE_SECONDS at a stretch.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import trio

from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.usecases.data_plane.dirty_proxies import DirtyProxies
from kong_mesh_cp.usecases.data_plane.left_out import LeftOut
from kong_mesh_cp.usecases.data_plane.publishing_metrics import Tally
from kong_mesh_cp.usecases.data_plane.watches import ConnectedProxy, Watch, Watches

if TYPE_CHECKING:
    from kong_mesh_cp.core.discovery.snapshots import Snapshot
    from kong_mesh_cp.core.xds.generate import Generated
    from kong_mesh_cp.core.xds.world import MeshWorld

SLICE_SECONDS: Final = 0.005  # of the loop before others have their turn
# A pass that took longer is followed by as much rest for those it made last: in a storm of changes
# they are told of several at once, and the loop has time for others.
PASS_SECONDS_FREE: Final = 0.05
REST_SECONDS_MAX: Final = 2.0

log = logging.getLogger(__name__)
