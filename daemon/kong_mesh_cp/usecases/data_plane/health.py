"""Health as proxies see it: each is told what to check, and its reports change its Dataplane.

A stream that ends changes nothing: the last report stays.

Source: docs/wire/discovery.md#health
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple, NoReturn, Protocol

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.xds.health_checks import (
    HealthSpecifier,
    HealthTerms,
    Report,
    apply_health,
    health_changes,
    specifier_of,
)
from kong_mesh_cp.core.xds.proxy_id import ProxyId
from kong_mesh_cp.usecases.admission.proxy_directory import DATAPLANE
from kong_mesh_cp.usecases.admission.registrations import kept_mark, registration_key
from kong_mesh_cp.usecases.data_plane.authentication import dataplane_identity
from kong_mesh_cp.usecases.data_plane.stream_ports import (
    Ending,
    NodeTold,
    ProxyVerifier,
    StreamEndedError,
)
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import (
    NotFoundError,
    Put,
    ResourceStore,
    StoredResource,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import members, spec_as, text_of

# A proxy opens this stream together with the one over which its Dataplane comes.
DATAPLANE_WAITS: Final = 30
DATAPLANE_WAIT_SECONDS: Final = 1.0
WRITES_MAX: Final = 5  # of one report, when others write the same Dataplane at the time

log = logging.getLogger(__name__)


class HealthStream(Protocol):
    """One stream of a proxy, whatever carries it; what it raises passes through."""

    @property
    def credentials(self) -> Sequence[str] | None:
        """All values of the metadata `authorization`; None: there is no metadata."""
        ...

    async def receive(self) -> HealthMessage | None:
        """None: the proxy has ended the stream."""
        ...

    async def send(self, specifier: HealthSpecifier) -> None: ...


class HealthMessage(NamedTuple):
    """What a proxy says: a report, or a request without one."""

    node: NodeTold | None
    report: Report | None


class HealthStreams:
    """Serves them. Owns nothing: each stream is a call of `serve`."""

    def __init__(
        self,
        store: ResourceStore,
        verifier: ProxyVerifier,
        terms: HealthTerms,
        *,
        refresh_interval: timedelta,
        wall_clock: WallClock,
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._terms = terms
        self._refresh_seconds = refresh_interval.total_seconds()
        self._wall_clock = wall_clock
        # One for all: a store that fails does so for each of them.
        self._failures = FailureLog(
            log,
            "hds-not-refreshed",
            "hds-refreshed-again",
            meanwhile="proxies go on with the checks that they have",
        )

    async def serve(self, stream: HealthStream) -> None:
        """Until the proxy ends the stream. Raises: StreamEndedError, and what the stream raises."""
        first = await stream.receive()
        if first is None:
            return
        if first.report is not None or first.node is None:
            raise _refused("stream was not authenticated for ID ", "hds-not-authenticated")
        node_id = first.node.id
        key = await self._authenticated(stream, node_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, stream, key)
            other = await self._listen(stream, key, node_id)
            nursery.cancel_scope.cancel()
        if other is not None:  # outside of the nursery, which would wrap it
            raise _refused(
                f"stream was authenticated for ID {node_id}. Received request is for node with ID"
                f" {other}. Node ID cannot be changed after stream is initialized",
                "node-id-changed",
            )

    async def _listen(self, stream: HealthStream, key: ResourceKey, node_id: str) -> str | None:
        """Until the proxy ends the stream (None), or says that it is another one (which)."""
        while (message := await stream.receive()) is not None:
            if message.node is not None and message.node.id not in {"", node_id}:
                return message.node.id
            if message.report is not None:
                await self._take(key, message.report)
        return None

    async def _authenticated(self, stream: HealthStream, node_id: str) -> ResourceKey:
        try:
            proxy = ProxyId.parse(node_id)
        except ValueError as error:
            text = f"HDS request must have a valid Proxy Id: {error}"
            raise _refused(text, "node-id-invalid") from None
        key = ResourceKey(DATAPLANE, proxy.mesh, proxy.name)
        dataplane = spec_as(Dataplane, await self._awaited(key))
        identity = dataplane_identity(proxy.mesh, proxy.name, dataplane.tag_sets)
        try:
            await self._verifier.verify(stream.credentials, identity)
        except ProxyRefusedError as error:
            raise _refused(error.message, error.code) from None
        return key

    async def _awaited(self, key: ResourceKey) -> StoredResource:
        for wait in range(DATAPLANE_WAITS + 1):
            if wait:
                await trio.sleep(DATAPLANE_WAIT_SECONDS)
            try:
                found = await self._store.get(key)
            except StateError as error:
                raise _not_now(error) from None
            if found is not None:
                return found
        raise _refused(
            "dataplane not found. Create Dataplane in Kuma CP first or pass it as an argument to"
            " kuma-dp",
            "dataplane-not-found",
        )

    async def _tell(self, stream: HealthStream, key: ResourceKey) -> NoReturn:
        """Sends what is to be checked, now and whenever it has changed."""
        told = None
        while True:
            try:
                stored = await self._store.get(key)
            except StateError as error:
                self._failures.failed(error)
                stored = None
            else:
                self._failures.succeeded()
            if stored is not None:
                specifier = specifier_of(spec_as(Dataplane, stored), self._terms)
                if specifier != told:
                    await stream.send(specifier)
                    told = specifier
            await trio.sleep(self._refresh_seconds)

    async def _take(self, key: ResourceKey, report: Report) -> None:
        """Writes what the report changes. The next one comes in seconds, so failures are told."""
        for _ in range(WRITES_MAX):
            try:
                stored = await self._store.get(key)
                changes = health_changes(spec_as(Dataplane, stored), report) if stored else {}
                if stored is None or not changes:
                    return
                await self._write(stored, changes)
            except VersionConflictError:
                continue  # another writer was faster: what it wrote is looked at
            except NotFoundError:
                return  # its mesh went in between
            except StateError as error:
                log.warning("hds-not-written: %s: %s. %s", _shown(key), error.message, error.hint)
            return
        log.info("hds-not-written: %s: others write it all the time", _shown(key))

    async def _write(self, stored: StoredResource, changes: Mapping[int, bool]) -> None:
        """Raises: VersionConflictError, NotFoundError, StateError."""
        put = self._put(stored, changes)
        mark = await self._store.get(registration_key(stored.key.mesh, stored.key.name))
        # What a seat has registered stays its own: no client has changed it.
        kept = None if mark is None else kept_mark(mark, stored, put.at)
        await self._store.apply([put] if kept is None else [put, kept])

    def _put(self, stored: StoredResource, changes: Mapping[int, bool]) -> Put:
        return Put(
            key=stored.key,
            spec=text_of(apply_health(members(stored), changes)),
            at=self._wall_clock(),
            status=stored.status,
            labels=stored.labels,
            owner=stored.owner,
            if_version=stored.version,
        )


def _shown(key: ResourceKey) -> str:
    return f"proxy {go_quote(key.name)} of mesh {go_quote(key.mesh)}"


def _refused(message: str, code: str) -> StreamEndedError:
    return StreamEndedError(Ending.REFUSED, message, code=code)


def _not_now(error: StateError) -> StreamEndedError:
    return StreamEndedError(
        Ending.NOT_NOW,
        f"the store does not answer: {error.message}",
        code="store-unavailable",
        hint=error.hint,
    )
