"""Registers the Dataplane that comes with an admission, as a client of the API would put it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final, cast

import trio

from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.users import ADMIN
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.violations import Violation
from kong_mesh_cp.usecases.admission_requests import (
    busy,
    invalid_dataplane,
    no_such_mesh,
)
from kong_mesh_cp.usecases.ports import MeshDirectory, WallClock
from kong_mesh_cp.usecases.proxy_directory import DATAPLANE
from kong_mesh_cp.usecases.resource_ports import Put
from kong_mesh_cp.usecases.resources.applying import Applying
from kong_mesh_cp.usecases.resources.refusals import NOT_VALID, Fault, ResourceRefusedError

REGISTRATION: Final = "AdmissionRegistration"  # no client sees this type
ATTEMPTS_MAX: Final = 10  # of writers that meet; each time one of them gets through

log = logging.getLogger(__name__)


class Registering:
    """Writes Dataplanes in the name of the control plane: the admission has been decided.

    Each gets a registration, which it owns: it is there as long as nobody deletes the Dataplane,
    whoever changes it, and says which run of which control plane has to remove it.
    """

    def __init__(
        self, applying: Applying, meshes: MeshDirectory, *, instance: str, wall_clock: WallClock
    ) -> None:
        self._applying = applying
        self._meshes = meshes
        self._instance = instance
        self._wall_clock = wall_clock

    async def judged(self, request: AdmissionRequest) -> Refused | None:
        """What the API would find wrong with the Dataplane by itself; None: nothing."""
        try:
            await self._applying.judge(_key(request), request.resource)
        except ResourceRefusedError as error:
            return _invalid(error)
        return None

    async def register(self, request: AdmissionRequest, added: Tags) -> Refused | None:
        """Make or replace the Dataplane; `added` tags go on top of its own.

        What was begun is brought to its end, also when the caller is cancelled: otherwise nobody
        would know whether there is something to remove.
        """
        document = with_tags(cast("Mapping[str, Any]", request.resource), added)
        for _ in range(ATTEMPTS_MAX):
            try:
                with trio.CancelScope(shield=True):
                    await self._applying.put_document(
                        ADMIN, _key(request), document, also=[self._registration(request)]
                    )
            except ResourceRefusedError as error:
                if error.fault is not Fault.CONFLICT:
                    return self._refused(error, request)
            except StateError as error:
                return busy(f"the Dataplane cannot be stored: {error.message}", error.hint)
            else:
                return None
        return busy(
            f"the Dataplane {request.name} was changed by others {ATTEMPTS_MAX} times in a row",
            "Ask again in a moment.",
        )

    def _registration(self, request: AdmissionRequest) -> Put:
        return Put(
            key=registration_key(request.mesh, request.name),
            spec=json.dumps({"instance": self._instance}),
            owner=_key(request),
            at=self._wall_clock(),
        )

    def _refused(self, error: ResourceRefusedError, request: AdmissionRequest) -> Refused:
        """What speaks against a Dataplane that was in order a moment ago, by itself."""
        if error.detail == NOT_VALID:
            return _invalid(error)  # it is in order without the tags of the rule
        if error.fault is Fault.INVALID:
            names = [name for name in self._meshes.names() if name != request.mesh]
            return no_such_mesh(request.mesh, names)
        # The constraints that it was held against have just been changed.
        return busy(f"mesh {request.mesh} was changed meanwhile", "Ask again in a moment.")


def registration_key(mesh: str, name: str) -> ResourceKey:
    return ResourceKey(REGISTRATION, mesh, name)


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


def _key(request: AdmissionRequest) -> ResourceKey:
    return ResourceKey(DATAPLANE, request.mesh, request.name)


def _invalid(error: ResourceRefusedError) -> Refused:
    if error.fault is Fault.INVALID:
        return invalid_dataplane(error.violations)
    return invalid_dataplane((Violation("", error.detail),))
