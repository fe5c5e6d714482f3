"""Room for one more Dataplane in a mesh with a quota."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.labels import PROXY_TYPE
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection, StoredResource
from kong_mesh_cp.usecases.resources import resource_refusals
from kong_mesh_cp.usecases.resources.documents import readable_as
from kong_mesh_cp.usecases.resources.sweeping import sweep

DATAPLANE: Final = "Dataplane"

# Delegated gateways have it, too. Computed when they are written, whatever their body says.
_SIDECARS: Final = {PROXY_TYPE: "sidecar"}


class ProxyRoom:
    """The quotas held against the Dataplanes that are stored.

    A seat does not need one, and one takes no seat: this keeps a mesh from having more of them than
    could ever join. Exact among the writers of this process; another control plane on the store
    may write one at the same moment.
    """

    def __init__(self, store: ResourceStore, quotas: MeshQuotas) -> None:
        self._store = store
        self._quotas = quotas
        self._turn = trio.Lock()

    @asynccontextmanager
    async def for_one(self, key: ResourceKey, spec: object) -> AsyncIterator[None]:
        """Create the resource `key` inside of it. Raises: ResourceRefusedError, StateError."""
        quota = None
        if isinstance(spec, Dataplane) and spec.gateway is None:
            quota = self._quotas.of(key.mesh)
        if quota is None:
            yield
            return
        async with self._turn:
            found = await self._counted(key.mesh, quota)
            if found >= quota:
                raise resource_refusals.mesh_full(key.mesh, quota, found)
            yield

    async def _counted(self, mesh: str, quota: int) -> int:
        """How many Dataplanes of `mesh` the license would count; exact from `quota` on."""
        sidecars = Selection(type=DATAPLANE, mesh=mesh, labels=_SIDECARS)
        total = (await self._store.list(replace(sidecars, limit=1))).total
        if total < quota:
            return total
        # Seldom: the mesh is full, or has delegated gateways.
        names = {
            stored.key.name
            async for stored in sweep(self._store, sidecars)
            if not _is_gateway(stored)
        }
        return len(names)


def _is_gateway(stored: StoredResource) -> bool:
    # Most have no such word in them, and need not be read.
    if '"gateway"' not in stored.spec:
        return False
    dataplane = readable_as(Dataplane, stored)
    return dataplane is not None and dataplane.gateway is not None
