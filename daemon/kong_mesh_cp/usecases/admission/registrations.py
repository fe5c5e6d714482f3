"""The mark of a Dataplane that a seat has registered: whose it is, and who removes it.

A mark is a resource that no client sees. The Dataplane owns it, so it is there until that is
deleted, whatever changes it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Final

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.requests import busy
from kong_mesh_cp.usecases.ports.resource_store import Put, StoredResource

REGISTRATION: Final = "AdmissionRegistration"  # no client sees this type
ROOT_UID: Final = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one control plane. `plane` stays the same over restarts, `instance` does not."""

    plane: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Who has registered a Dataplane, and what it was then. None: that was never recorded."""

    instance: str  # the run of a control plane that has to remove it
    plane: str | None = None  # the control plane
    uid: int | None = None  # of the process, on the machine of that control plane
    version: int | None = None  # of the Dataplane, as the seat left it
    over_stream: bool = False  # it came from an Envoy, whose token let it have its way

    @classmethod
    def read(cls, stored: StoredResource) -> Registration:
        document = json.loads(stored.spec)
        return cls(
            instance=str(document["instance"]),
            plane=document.get("plane"),
            uid=document.get("uid"),
            version=document.get("version"),
            over_stream=document.get("overStream", False),
        )

    def text(self) -> str:
        members = {
            "instance": self.instance,
            "plane": self.plane,
            "uid": self.uid,
            "version": self.version,
            "overStream": self.over_stream or None,
        }
        return json.dumps({name: each for name, each in members.items() if each is not None})

    def put(self, dataplane: ResourceKey, at: datetime, if_version: int | None) -> Put:
        """The change that marks `dataplane`."""
        key = registration_key(dataplane.mesh, dataplane.name)
        return Put(key=key, spec=self.text(), owner=dataplane, at=at, if_version=if_version)

    @property
    def is_by_token(self) -> bool:
        """It came over a stream alone: no process on the socket has had a part in it."""
        return self.over_stream and self.uid is None

    def is_of(self, dataplane: StoredResource) -> bool:
        """Whether the Dataplane is still what the seat has made: no client has changed it."""
        return self.version in {None, dataplane.version}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is stored under the name that a seat brings a Dataplane for."""

    dataplane: StoredResource | None
    mark: StoredResource | None

    @property
    def version(self) -> int:
        """Of the Dataplane; 0: there is none."""
        return 0 if self.dataplane is None else self.dataplane.version

    @property
    def mark_version(self) -> int:
        return 0 if self.mark is None else self.mark.version

    def uid_on(self, plane: str) -> int | None:
        """Of the process that has registered it through `plane`, if one has."""
        if self.mark is None or self.dataplane is None:
            return None
        registered = Registration.read(self.mark)
        is_its = registered.plane == plane and registered.is_of(self.dataplane)
        return registered.uid if is_its else None

    def refusal(self, *, plane: str, uid: int | None) -> Refused | None:
        """Why a process of `uid` may not replace it, where no rule says who may; None: it may.

        `uid` None: the process was not looked at. Users of other machines are not distinguished.
        """
        if self.dataplane is None:
            return None
        key = self.dataplane.key
        registered = None if self.mark is None else Registration.read(self.mark)
        if registered is None or registered.is_by_token or not registered.is_of(self.dataplane):
            by_token = registered is not None and registered.is_by_token
            by = "brought by a proxy with a token" if by_token else "written by a client of the API"
            return Refused(
                code=RefusalCode.DATAPLANE_STORED,
                reason=(
                    f"the Dataplane {key.name} of mesh {key.mesh} was {by}, and without "
                    "[[admission.rules]] no process may replace it"
                ),
                hint=(
                    'Leave it out to join with the stored one: {"mesh": …, "name": …}. Or delete '
                    "it (kumactl delete dataplane), or set a rule that lets this process join "
                    "under its name."
                ),
            )
        if registered.plane != plane or uid in {None, ROOT_UID, registered.uid}:
            return None
        if registered.uid is None:
            return None
        return busy(
            f"the Dataplane {key.name} of mesh {key.mesh} was registered by a process of uid "
            f"{registered.uid}, for which it is kept for a moment",
            "Ask again: it goes when that process does not come back.",
        )


def kept_mark(mark: StoredResource, dataplane: StoredResource, at: datetime) -> Put | None:
    """The change of `mark` that goes with one which this program makes of `dataplane`: it stays
    what the seat has made. None: nothing has to go with it.
    """
    registered = Registration.read(mark)
    if registered.version != dataplane.version:
        return None
    following = replace(registered, version=dataplane.version + 1)
    return following.put(dataplane.key, at, mark.version)


def registration_key(mesh: str, name: str) -> ResourceKey:
    return ResourceKey(REGISTRATION, mesh, name)
