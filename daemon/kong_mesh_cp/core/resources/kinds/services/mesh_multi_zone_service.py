"""MeshMultiZoneService: services of several zones under one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.services.address_status import (
    Addresses,
    GeneratorStatuses,
    Vips,
)
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.resources.tags import CANNOT_BE_EMPTY, PROTOCOLS
from kong_mesh_cp.core.schema.record_terms import OMIT_EMPTY, Formerly, Length, Unsigned32
from kong_mesh_cp.core.schema.value_checks import MUST_NOT_BE_EMPTY
from kong_mesh_cp.core.schema.violations import Violation, root


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServiceSelector:
    """Labels that a MeshService has to carry to be part of it."""

    # Of MeshServices in all zones, which carry the labels of their zone and their display name.
    match_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """The services of all zones that it stands for."""

    mesh_service: MeshServiceSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port under which it is reached."""

    name: str | None = None
    port: Unsigned32
    app_protocol: Annotated[str, Formerly("protocol")] = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMultiZoneService:
    """One service that MeshServices of several zones make up together."""

    selector: Selector
    ports: Annotated[tuple[Port, ...], Length(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedService:
    """A MeshService that is a part of it."""

    name: str
    namespace: str
    zone: str
    mesh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMultiZoneServiceStatus:
    """What the control plane adds to it: addresses and the services found."""

    addresses: Addresses = ()
    vips: Vips = ()
    mesh_services: Annotated[tuple[MatchedService, ...], OMIT_EMPTY] = ()
    hostname_generators: GeneratorStatuses = ()


def _violations(spec: MeshMultiZoneService) -> Iterator[Violation]:
    at = root("spec")
    if not spec.selector.mesh_service.match_labels:
        # No labels at all would select every service of the mesh.
        labels_at = at.field("selector").field("meshService").field("matchLabels")
        yield labels_at.violation(CANNOT_BE_EMPTY)
    if not spec.ports:
        yield at.field("ports").violation(CANNOT_BE_EMPTY)
    for index, port in enumerate(spec.ports):
        port_at = at.field("ports").index(index)
        if port.name == "":
            yield port_at.field("name").violation(MUST_NOT_BE_EMPTY)
        if port.app_protocol not in PROTOCOLS:
            message = f"appProtocol must be one of: {', '.join(PROTOCOLS)}"
            yield port_at.field("appProtocol").violation(message)


KIND: Final = plugin_kind(
    "MeshMultiZoneService",
    MeshMultiZoneService,
    _violations,
    status_type=MeshMultiZoneServiceStatus,
)
