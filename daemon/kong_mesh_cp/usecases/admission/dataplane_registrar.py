"""Registers the Dataplane that comes with an admission, as a client of the API would put it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import trio

from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.users import ADMIN
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.admission.proxy_directory import DATAPLANE
from kong_mesh_cp.usecases.admission.registrations import (
    Registration,
    Run,
    Standing,
    registration_key,
)
from kong_mesh_cp.usecases.admission.requests import busy, invalid_dataplane, no_such_mesh
from kong_mesh_cp.usecases.ports.resource_store import Put, ResourceStore, StoredResource
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory, WallClock
from kong_mesh_cp.usecases.resources.resource_refusals import (
    NOT_VALID,
    Fault,
    ResourceRefusedError,
)
from kong_mesh_cp.usecases.resources.writer import ResourceWriter

WARNING: Final = "dataplane-warning"  # the code of what an answer of the API has in `warnings`
ATTEMPTS_MAX: Final = 10  # of writers that meet; each time one of them gets through

MayReplace = Callable[[StoredResource], Awaitable[None]]
"""Whether a proxy may be put in the place of the stored Dataplane; raises where it may not."""

log = logging.getLogger(__name__)


class DataplaneRegistrar:
    """Writes Dataplanes in the name of the control plane: the admission has been decided.

    Each gets a `Registration`.
    """

    def __init__(
        self,
        applying: ResourceWriter,
        store: ResourceStore,
        meshes: MeshDirectory,
        *,
        run: Run,
        takes_over: bool,
        wall_clock: WallClock,
    ) -> None:
        """`takes_over`: rules say who may join as what, so an admitted process may replace what
        is stored under its name. Otherwise what no seat has registered is not touched.
        """
        self._applying = applying
        self._store = store
        self._meshes = meshes
        self._run = run
        self._takes_over = takes_over
        self._wall_clock = wall_clock

    async def findings(self, request: AdmissionRequest) -> Refused | Sequence[tuple[str, str]]:
        """What the API would find wrong with the Dataplane by itself, or of what it would warn:
        code and message.
        """
        try:
            warnings = await self._applying.validate(_key(request), request.resource)
        except ResourceRefusedError as error:
            return _invalid(error)
        return [(WARNING, each) for each in warnings]

    async def replaceable(self, request: AdmissionRequest) -> Refused | None:
        """Why what is stored under the name cannot be replaced; None when it can. Asked before
        the process is looked at, it says no more than holds for all of them.
        """
        try:
            standing = await self._standing(request)
        except StateError as error:
            return busy(f"the Dataplane cannot be looked at: {error.message}", error.hint)
        return None if standing is None else standing.refusal(plane=self._run.plane, uid=None)

    async def register(self, request: AdmissionRequest, added: Tags, uid: int) -> Refused | None:
        """Make or replace the Dataplane; `added` tags go on top of its own. `uid` brings it.

        What was begun is brought to its end, also when the caller is cancelled: otherwise no one
        would know whether there is something to remove.
        """
        document = with_tags(cast("Mapping[str, Any]", request.resource), added)
        for _ in range(ATTEMPTS_MAX):
            try:
                with trio.CancelScope(shield=True):
                    refused = await self._put(request, document, uid)
            except ResourceRefusedError as error:
                if error.fault is not Fault.CONFLICT:
                    return self._refused(error, request)
            except StateError as error:
                return busy(f"the Dataplane cannot be stored: {error.message}", error.hint)
            else:
                return refused
        return busy(
            f"the Dataplane {request.name} was changed by others {ATTEMPTS_MAX} times in a row",
            "Ask again in a moment.",
        )

    async def register_over_stream(
        self, seat: SeatId, document: Mapping[str, object], may_replace: MayReplace
    ) -> None:
        """Make or replace the Dataplane of a proxy, whose token says what it may be. Labels and
        spec are those of `document`. What was begun is brought to its end.

        Raises: StateError, ResourceRefusedError, and what `may_replace` raises.
        """
        key, mark_key = _seat_key(seat), registration_key(seat.mesh, seat.name)
        run = self._run
        for left in reversed(range(ATTEMPTS_MAX)):
            found = await self._store.get_many([key, mark_key])
            standing = Standing(found.get(key), found.get(mark_key))
            if standing.dataplane is not None:
                await may_replace(standing.dataplane)
            # The process whose Envoy this is may replace it still.
            uid = standing.uid_on(run.plane)
            made = Registration(instance=run.instance, plane=run.plane, uid=uid, over_stream=True)
            mark = made.put(key, self._wall_clock(), standing.mark_version)
            also = [] if _is_equal(standing.mark, mark) else [mark]
            try:
                with trio.CancelScope(shield=True):
                    await self._applying.put_document(
                        ADMIN, key, document, also=also, onto=standing.version
                    )
            except ResourceRefusedError as error:
                if error.fault is not Fault.CONFLICT or not left:
                    raise
            else:
                return

    async def register_zone_proxy(self, key: ResourceKey, document: Mapping[str, object]) -> None:
        """Make or replace the resource of a zone proxy, whose token is for every one of its kind.
        What was begun is brought to its end. Raises: StateError, ResourceRefusedError.
        """
        for left in reversed(range(ATTEMPTS_MAX)):
            try:
                with trio.CancelScope(shield=True):
                    await self._applying.put_document(ADMIN, key, document)
            except ResourceRefusedError as error:
                if error.fault is not Fault.CONFLICT or not left:
                    raise
            else:
                return

    async def _put(
        self, request: AdmissionRequest, document: Mapping[str, Any], uid: int
    ) -> Refused | None:
        """Raises: StateError, ResourceRefusedError."""
        run, key = self._run, _key(request)
        made = Registration(instance=run.instance, plane=run.plane, uid=uid)
        standing, mark_version, onto = await self._standing(request), None, None
        if standing is not None:
            refused = standing.refusal(plane=run.plane, uid=uid)
            if refused is not None:
                return refused
            # Neither the Dataplane nor its mark may have become others when they are written.
            mark_version, onto = standing.mark_version, standing.version
            made = replace(made, version=onto + 1)
        mark = made.put(key, self._wall_clock(), mark_version)
        await self._applying.put_document(ADMIN, key, document, also=[mark], onto=onto)
        return None

    async def _standing(self, request: AdmissionRequest) -> Standing | None:
        """None: it makes no difference. Raises: StateError."""
        if self._takes_over:
            return None
        key, mark_key = _key(request), registration_key(request.mesh, request.name)
        found = await self._store.get_many([key, mark_key])
        return Standing(found.get(key), found.get(mark_key))

    def _refused(self, error: ResourceRefusedError, request: AdmissionRequest) -> Refused:
        """What speaks against a Dataplane that was in order a moment ago, by itself."""
        if error.detail == NOT_VALID:
            return _invalid(error)  # it is in order without the tags of the rule
        if error.fault is Fault.INVALID:
            names = [name for name in self._meshes.names() if name != request.mesh]
            return no_such_mesh(request.mesh, names)
        # The constraints that it was held against have just been changed.
        return busy(f"mesh {request.mesh} was changed meanwhile", "Ask again in a moment.")


def with_tags(resource: Mapping[str, Any], added: Tags) -> Mapping[str, Any]:
    """`resource` with tags on each inbound and the gateway that it cannot set otherwise."""
    if not added:
        return resource
    networking = dict(resource["networking"])
    if networking.get("inbound"):
        networking["inbound"] = [_tagged(each, added) for each in networking["inbound"]]
    if networking.get("gateway") is not None:
        networking["gateway"] = _tagged(networking["gateway"], added)
    return {**resource, "networking": networking}


def _tagged(section: Mapping[str, Any], added: Tags) -> Mapping[str, Any]:
    return {**section, "tags": {**(section.get("tags") or {}), **added}}


def _is_equal(mark: StoredResource | None, put: Put) -> bool:
    return mark is not None and mark.spec == put.spec


def _seat_key(seat: SeatId) -> ResourceKey:
    return ResourceKey(DATAPLANE, seat.mesh, seat.name)


def _key(request: AdmissionRequest) -> ResourceKey:
    return ResourceKey(DATAPLANE, request.mesh, request.name)


def _invalid(error: ResourceRefusedError) -> Refused:
    if error.fault is Fault.INVALID:
        return invalid_dataplane(error.violations)
    return invalid_dataplane((Violation("", error.detail),))
