"""Resources that traffic goes to, and which of them a targetRef means.

Source: docs/wire/policies.md#resource-rules
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.policy import NAMESPACE_LABEL, Meta
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.labels import DISPLAY_NAME

MESH: Final = "Mesh"
# An external service has one port, and a mesh none; a section of theirs says nothing.
WITH_SECTIONS: Final = ("MeshService", "MeshMultiZoneService")
_TYPES: Final = (MESH, "MeshExternalService", *WITH_SECTIONS)


class Port(NamedTuple):
    """A section of a service; without a name its number stands for it."""

    number: int
    name: str = ""

    @property
    def section_name(self) -> str:
        return self.name or str(self.number)


@dataclass(frozen=True, slots=True)
class Destination:
    """A Mesh (all of its services), MeshService, MeshExternalService or MeshMultiZoneService."""

    meta: Meta
    ports: tuple[Port, ...] = ()


class DestinationId(NamedTuple):
    """What tells destinations apart wherever they were synced to; `name` is the display name."""

    type: str
    mesh: str  # "" for a Mesh
    zone: str
    namespace: str
    name: str
    section_name: str = ""


def destination_id(meta: Meta, section_name: str = "") -> DestinationId:
    zone = meta.zone or ""
    return DestinationId(
        meta.type, meta.mesh, zone, meta.namespace, meta.display_name, section_name
    )


def referred_id(target: TargetRef, source: Meta) -> DestinationId:
    """The resource that `target`, a reference by name, means in a policy called `source`."""
    if target.kind == MESH:
        return DestinationId(MESH, "", "", "", source.mesh)
    # On Universal all namespaces are "", and the comparison holds by itself.
    namespace = target.namespace or source.namespace
    return DestinationId(target.kind, source.mesh, source.zone or "", namespace, target.name)


class Section(NamedTuple):
    """A destination, narrowed to one port if `name` is not ""."""

    destination: Destination
    name: str = ""

    @property
    def id(self) -> DestinationId:
        return destination_id(self.destination.meta, self.name)

    @property
    def whole_id(self) -> DestinationId:
        return destination_id(self.destination.meta)

    def covers(self, other: Section) -> bool:
        """What is said about `self` holds for `other`."""
        mine, theirs = self.destination.meta, other.destination.meta
        # What is said of a mesh holds for all services in it, whichever kind they are of.
        if mine.type == MESH:
            return mine.name == (theirs.name if theirs.type == MESH else theirs.mesh)
        if self.whole_id != other.whole_id:
            return False
        return mine.type not in WITH_SECTIONS or self.name in ("", other.name)


class Destinations:
    """The destinations of one mesh, found by what policies call them."""

    def __init__(self, destinations: Iterable[Destination]) -> None:
        self._by_type: dict[str, list[Destination]] = {}
        self._by_id: dict[DestinationId, Destination] = {}
        for destination in destinations:
            # The first of one identity counts: an original and its copies from other zones are one
            # service.
            self._by_type.setdefault(destination.meta.type, []).append(destination)
            self._by_id.setdefault(destination_id(destination.meta), destination)

    def meant_by(self, target: TargetRef, source: Meta) -> Iterator[Section]:
        """What `target` means in a policy called `source`; nothing for what does not exist."""
        if target.kind not in _TYPES:
            return
        # Before the target's own labels: the name is a tag of older times, see below.
        labels, port = _service_of_kubernetes(target)
        labels = labels or target.labels
        for destination in self._found(target, labels, source):
            if destination.meta.type not in WITH_SECTIONS or not (port or target.section_name):
                yield Section(destination)
            elif section := _section(destination, port, target.section_name):
                yield Section(destination, section)

    def _found(
        self, target: TargetRef, labels: Mapping[str, str], source: Meta
    ) -> Iterable[Destination]:
        if labels:
            wanted = labels.items()
            # Labels may mean several resources, in this zone and in others; a name means one of
            # this zone.
            candidates = self._by_type.get(target.kind, ())
            return [found for found in candidates if wanted <= found.meta.labels.items()]
        found = self._by_id.get(referred_id(target, source))
        return [found] if found else []


def _section(destination: Destination, port_number: int, section_name: str) -> str:
    """The section of that port number, or of that name (a number if the port has no name)."""
    for port in destination.ports:
        if port_number == port.number if port_number else section_name == port.section_name:
            return port.section_name
    return ""


def _service_of_kubernetes(target: TargetRef) -> tuple[Mapping[str, str], int]:
    """Labels and port of `<name>_<namespace>_svc[_<port>]`, a service tag made by Kubernetes.

    Policies written for tags thereby hold for the resource that took the tag's place.
    """
    if target.kind != "MeshService" or target.section_name:
        return {}, 0
    match target.name.split("_"):
        case [name, namespace, _]:
            port = "0"
        case [name, namespace, _, port] if port.isascii() and port.isdigit():
            pass
        case _:
            return {}, 0
    return {NAMESPACE_LABEL: namespace, DISPLAY_NAME: name}, int(port)
