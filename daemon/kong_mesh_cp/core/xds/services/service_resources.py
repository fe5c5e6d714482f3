"""Services that are resources, as far as they decide what proxies are told.

Source: docs/wire/service-resources.md#destinations
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.fnv import fnv64a
from kong_mesh_cp.core.policy.rules.destinations import DestinationId, destination_id
from kong_mesh_cp.core.policy.rules.mesh_resources import meta_of
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.services.address_status import Address
from kong_mesh_cp.core.resources.kinds.services.mesh_external_service import (
    MeshExternalService,
    MeshExternalServiceStatus,
)
from kong_mesh_cp.core.resources.kinds.services.mesh_multi_zone_service import (
    MeshMultiZoneService,
    MeshMultiZoneServiceStatus,
)
from kong_mesh_cp.core.resources.kinds.services.mesh_service import (
    MeshService,
    MeshServiceStatus,
    Selector,
)
from kong_mesh_cp.core.resources.meta import Resource, has_spec

MESH_SERVICE: Final = "MeshService"
EXTERNAL: Final = "MeshExternalService"
MULTI_ZONE: Final = "MeshMultiZoneService"
SERVICE_TYPES: Final = (MESH_SERVICE, EXTERNAL, MULTI_ZONE)
"""In the order in which proxies get outbounds for them."""

LABEL_CHARACTERS_MAX: Final = 63  # of a label in DNS
_SHORT: Final = {MESH_SERVICE: "msvc", EXTERNAL: "extsvc", MULTI_ZONE: "mzsvc"}
_IN_SERVER_NAMES: Final = {MESH_SERVICE: "ms", EXTERNAL: "mes", MULTI_ZONE: "mzms"}

_ANY: Final = "*"  # no service is called so


class ServicePort(NamedTuple):
    """A port on which a service is called."""

    number: int
    name: str
    protocol: str
    target: int | str = 0  # of a MeshService: the port of its proxies, or the name of an inbound

    @property
    def section_name(self) -> str:
        return self.name or str(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResource:
    """One service. Two that are equal are told alike: times and counts are in none."""

    id: DestinationId  # of the whole service
    name: str  # of the resource
    labels: Mapping[str, str]
    created_at: datetime
    ports: tuple[ServicePort, ...]
    addresses: tuple[str, ...] = ()  # virtual ones
    host_names: tuple[str, ...] = ()  # that resolve to the first of them
    selector: Selector | None = None  # of a MeshService: whose proxies it is
    identities: tuple[str, ...] = ()  # of a MeshService: the service tags in certificates
    tls_ready: bool = True  # all proxies of a MeshService of this zone have a certificate
    is_local: bool = True  # of this zone
    is_available: bool = True  # some proxy of a MeshService takes traffic
    parts: tuple[DestinationId, ...] = ()  # of a service of several zones: the MeshServices

    @property
    def place(self) -> tuple[str, str]:
        """Its type, and the name of the resource."""
        return self.id.type, self.name

    @property
    def selected_tag(self) -> tuple[tuple[str, str], ...]:
        """One of the tags that all proxies have which it selects by tags."""
        selector = self.selector
        if selector is None or selector.dataplane_ref is not None or not selector.dataplane_tags:
            return ()
        return (min(selector.dataplane_tags.items()),)

    @property
    def selected_proxy(self) -> tuple[str, ...]:
        """The proxy that it selects by its name."""
        ref = None if self.selector is None else self.selector.dataplane_ref
        return () if ref is None else (ref.name,)

    @property
    def found_by(self) -> object:
        """All by which proxies find it, and have outbounds for it."""
        sections = tuple((each.number, each.name) for each in self.ports)
        return self.labels, self.created_at, self.addresses, self.host_names, sections

    def port(self, section_name: str) -> ServicePort | None:
        """By its name or its number. An external service has one, whatever is asked for."""
        if self.id.type == EXTERNAL:
            return self.ports[0]
        wanted = (each for each in self.ports if section_name in (each.name, str(each.number)))
        return next(wanted, None)

    def cluster(self, port: int) -> str:
        """The name of what is sent to `port`: of its cluster, in routes and in metrics."""
        own = self.id
        short = _SHORT[own.type]
        return f"{own.mesh}_{own.name}_{own.namespace}_{own.zone}_{short}_{port}"

    def server_name(self, port: int) -> str:
        """What a client asks for in TLS."""
        name, mesh = self._name_in_tls, self.id.mesh
        digest = fnv64a(f"{name};{mesh};".encode())
        suffix = _IN_SERVER_NAMES[self.id.type]
        return f"a{digest:016x}.{_as_label(name)}.{port}.{_as_label(mesh)}.{suffix}"

    @property
    def _name_in_tls(self) -> str:
        if self.id.type != MESH_SERVICE:
            return self.id.name
        namespace, origin = self.id.namespace, self.labels.get(labels.ORIGIN)
        name = self.name
        if origin == "global":
            # As it is called where it comes from.
            name = self.labels.get(labels.DISPLAY_NAME, "")
        elif origin != "zone":
            return name
        return f"{name}.{namespace}" if namespace else name


def _as_label(name: str) -> str:
    if len(name) < LABEL_CHARACTERS_MAX:
        return name
    return f"{name[: LABEL_CHARACTERS_MAX - 1]}x"


def service_resource(resource: Resource[object]) -> ServiceResource | None:
    """None: it is none."""
    if has_spec(resource, MeshService):
        return _mesh_service(resource)
    if has_spec(resource, MeshExternalService):
        return _external(resource)
    if has_spec(resource, MeshMultiZoneService):
        return _multi_zone(resource)
    return None


def _mesh_service(resource: Resource[MeshService]) -> ServiceResource:
    spec, status = resource.spec, resource.status
    found = status if isinstance(status, MeshServiceStatus) else None
    origin = resource.labels.get(labels.ORIGIN)
    return ServiceResource(
        id=destination_id(meta_of(resource)),
        name=resource.name,
        labels=resource.labels,
        created_at=resource.created_at,
        ports=tuple(
            ServicePort(each.port, each.name, each.app_protocol or "tcp", each.target_port)
            for each in spec.ports
        ),
        addresses=() if found is None else tuple(each.ip for each in found.vips),
        host_names=() if found is None else _host_names(found.addresses),
        selector=spec.selector,
        identities=tuple(each.value for each in spec.identities if each.type == "ServiceTag"),
        tls_ready=found is not None and found.tls.status == "Ready",
        is_local=origin in (None, "zone"),
        is_available=spec.state == "Available",
    )


def _external(resource: Resource[MeshExternalService]) -> ServiceResource:
    match, status = resource.spec.match, resource.status
    found = status if isinstance(status, MeshExternalServiceStatus) else None
    return ServiceResource(
        id=destination_id(meta_of(resource)),
        name=resource.name,
        labels=resource.labels,
        created_at=resource.created_at,
        ports=(ServicePort(match.port, "", match.protocol),),
        addresses=(found.vip.ip,) if found is not None and found.vip.ip else (),
        host_names=() if found is None else _host_names(found.addresses),
    )


def _multi_zone(resource: Resource[MeshMultiZoneService]) -> ServiceResource:
    spec, status = resource.spec, resource.status
    found = status if isinstance(status, MeshMultiZoneServiceStatus) else None
    return ServiceResource(
        id=destination_id(meta_of(resource)),
        name=resource.name,
        labels=resource.labels,
        created_at=resource.created_at,
        ports=tuple(
            ServicePort(each.port, each.name or "", each.app_protocol or "tcp")
            for each in spec.ports
        ),
        addresses=() if found is None else tuple(each.ip for each in found.vips),
        host_names=() if found is None else _host_names(found.addresses),
        parts=()
        if found is None
        else tuple(
            DestinationId(MESH_SERVICE, each.mesh, each.zone, each.namespace, each.name)
            for each in found.mesh_services
        ),
    )


def _host_names(addresses: tuple[Address, ...]) -> tuple[str, ...]:
    return tuple(each.hostname for each in addresses)


def any_of(service_type: str, mesh: str) -> DestinationId:
    """Stands for all services of a type, among which labels choose."""
    return DestinationId(service_type, mesh, "", "", _ANY)
