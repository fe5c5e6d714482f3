"""Stored Dataplanes in memory for admissions, which cannot wait for a store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.admission.request import AdmissionRequest
from kong_mesh_cp.core.admission.stored_proxy import StoredProxy, as_stored, stored_proxy
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ChangeKind, ResourceChange, Selection

DATAPLANE: Final = "Dataplane"
LOOK_SECONDS_MAX: Final = 2.0  # for the store to show a Dataplane

log = logging.getLogger(__name__)


class Looked(NamedTuple):
    """A request, with what is stored of its proxy."""

    request: AdmissionRequest  # kind and tags are those of `stored`, if there is one
    stored: StoredProxy | None = None
    warnings: Sequence[tuple[str, str]] = ()


class ProxyDirectory:
    """The names of stored Dataplanes, kept in memory by following what is stored.

    While they are not known, every proxy may have one, and the store is asked.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._store = replica.store
        self._known: set[ResourceKey] | None = None
        self.changed: Callable[[ResourceKey | None], None] = lambda _: None  # None: any may have

    def may_hold(self, mesh: str, name: str) -> bool:
        """Whether it is worth while to ask for the Dataplane."""
        return self._known is None or ResourceKey(DATAPLANE, mesh, name) in self._known

    async def look_up(self, request: AdmissionRequest) -> Looked:
        """What is stored of a proxy that does not bring a Dataplane of its own.

        A store that fails does not stop admissions: then the request is taken at its word, as a
        proxy that is counted.
        """
        key = ResourceKey(DATAPLANE, request.mesh, request.name)
        try:
            with trio.fail_after(LOOK_SECONDS_MAX):
                found = await self._store.get(key)
        except (StateError, trio.TooSlowError):
            warning = "the store does not answer, so nobody knows whether there is a Dataplane"
            return Looked(request, warnings=[("dataplane-not-looked-at", warning)])
        if found is None:
            return Looked(request)
        stored = stored_proxy(found.spec)
        return Looked(as_stored(request, stored), stored)

    async def follow(self) -> NoReturn:
        """Keep the names for as long as this runs, and tell `changed` of each change."""
        await self._replica.follow(
            {DATAPLANE},
            read=self._read,
            take=self._take,
            outcomes=FailureLog(log, "dataplanes-not-followed", "dataplanes-followed-again"),
            lost=self._lost,
        )

    async def _read(self) -> None:
        page = await self._store.list(Selection(type=DATAPLANE))
        self._known = {each.key for each in page.items}
        self.changed(None)

    async def _take(self, change: ResourceChange) -> None:
        if self._known is None:
            return
        if change.kind is ChangeKind.DELETED:
            self._known.discard(change.key)
        else:
            self._known.add(change.key)
        self.changed(change.key)

    def _lost(self) -> None:
        self._known = None
