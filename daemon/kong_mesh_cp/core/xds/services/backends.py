"""Backends: where traffic goes, by tags or to a service that is a resource.

Source: docs/wire/service-resources.md#backends
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.spec_parts.backend_refs import BackendRef
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.names import service_cluster
from kong_mesh_cp.core.xds.services.instances import GatewayService, TagPairs, mesh_asked, pairs
from kong_mesh_cp.core.xds.services.known_services import ServiceResources
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL, MULTI_ZONE, any_of

Destined = TagPairs | DestinationId
"""The instances of a service with some tags, of which one is the service; or the port of a service
that is a resource.
"""


ServiceKey = str | DestinationId | GatewayService
"""A service by its tag, or one that is a resource, as a whole; or gateways of some mesh."""

WHOLE: Final = 100  # the weight of what gets all traffic


class Backend(NamedTuple):
    """A share of the traffic."""

    to: Destined
    weight: int
    cluster: str  # its name
    is_external: bool = False  # its host name stands in requests


class KnownServices(Protocol):
    """Of a world, what backends are made by."""

    @property
    def services(self) -> ServiceResources: ...

    def protocol(self, service: str) -> str:
        """Of a service by its tag."""
        ...

    def outside(self, service: str) -> object | None:
        """What a service by its tag is if it is outside of the mesh."""
        ...


class Backends:
    """Makes the backends of one outbound."""

    def __init__(
        self, world: KnownServices, carried: Callable[[str], bool], asked: set[ServiceKey]
    ) -> None:
        """`carried` says whether traffic of a protocol can be sent on. `asked` gets the services
        that were asked about.
        """
        self._world = world
        self._carried = carried
        self.asked = asked

    def to(self, to: Destined, weight: int) -> Backend | None:
        """None: there is no such port, or nothing is sent there."""
        if not weight:
            return None
        if not isinstance(to, DestinationId):
            service = dict(to)[SERVICE]
            if not service:
                return None  # a reference by labels that lacks the port
            self.asked.add(service)
            if not self._carried(self._world.protocol(service)):
                return None
            is_external = mesh_asked(to) is None and self._world.outside(service) is not None
            return Backend(to, weight, service_cluster(dict(to)), is_external=is_external)
        self.asked.add(to._replace(section_name=""))
        service_resource = self._world.services.find(to)
        port = service_resource.port(to.section_name) if service_resource is not None else None
        if service_resource is None or port is None or not self._carried(port.protocol):
            return None
        name = service_resource.cluster(port.number)
        return Backend(to, weight, name, is_external=to.type == EXTERNAL)

    def meant_by(self, ref: BackendRef, origin: Meta | None) -> Destined | None:
        """What `ref` refers to in the policy `origin`; None: nothing."""
        if is_by_tags(ref):
            return tags_of_backend(ref)
        if origin is None:
            return None
        if ref.labels:
            self.asked.add(any_of(ref.kind, origin.mesh))
        named = Reference(ref.kind, ref.name, ref.namespace, ref.labels, ref.port)
        return service_meant(self._world.services, named, origin)

    def meant(
        self, refs: Iterable[BackendRef], origin: Meta | None
    ) -> tuple[tuple[Destined, int], ...]:
        """What `refs` of the policy `origin` refer to, with their weights."""
        found = ((self.meant_by(ref, origin), ref.weight) for ref in refs)
        return tuple((to, weight) for to, weight in found if to is not None)

    def shares(self, meant: Iterable[tuple[Destined, int]]) -> tuple[Backend, ...]:
        """Those of `meant` that traffic can be sent to."""
        found = (self.to(to, weight) for to, weight in meant)
        return tuple(each for each in found if each is not None)

    def of_refs(
        self, refs: Iterable[BackendRef], origin: Meta | None, own: Destined
    ) -> tuple[Backend, ...]:
        """Where `refs` send traffic; `own` gets it where they refer to nothing."""
        return self.shares(self.meant(refs, origin) or ((own, WHOLE),))


class Reference(NamedTuple):
    """To a service that is a resource: by its name, or by labels."""

    kind: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    port: int | None


def service_meant(services: ServiceResources, ref: Reference, source: Meta) -> DestinationId | None:
    """The port, or the whole service, that `ref` means in `source`; None: its labels mean none.

    By its name it may be one that is not there. The section is the port's number, whatever name
    the port has: it is what was asked for.
    """
    if ref.labels:
        found = services.oldest(ref.kind, ref.labels)
        if found is None:
            return None
        wanted = found.id
    else:
        wanted = services.meant(ref.kind, ref.name, ref.namespace, source)
    return wanted if ref.port is None else wanted._replace(section_name=str(ref.port))


def is_by_tags(ref: BackendRef) -> bool:
    """It means instances of a service by tags, not a resource."""
    if ref.kind == "MeshService":
        return ref.port is None  # whatever else it says
    return ref.kind not in (EXTERNAL, MULTI_ZONE)


def tags_of_backend(ref: BackendRef) -> TagPairs:
    return pairs({**ref.tags, SERVICE: ref.name})
