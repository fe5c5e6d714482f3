"""What a control plane remembers of one mesh to know its services, so that a change costs what it
changes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.insights.facts import ObservedProxy
from kong_mesh_cp.core.meshes.services.service_proxies import (
    ProxyState,
    ServiceProxy,
    selects,
    service_proxy,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MeshServicesMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import members, spec_as
from kong_mesh_cp.usecases.upkeep.stored_services import (
    Known,
    UsedAddresses,
    addresses_of,
    read_known,
    without_address,
)

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes.services.service_hostnames import (
        Evaluated,
        Generator,
        HostnamedService,
        ServiceNames,
    )
    from kong_mesh_cp.core.resources.kinds.services.mesh_service import Selector

DATAPLANE: Final = "Dataplane"
DATAPLANE_INSIGHT: Final = "DataplaneInsight"
MESH_SERVICE: Final = "MeshService"
MULTI_ZONE_SERVICE: Final = "MeshMultiZoneService"
EXTERNAL_SERVICE: Final = "MeshExternalService"
SERVICE_TYPES: Final = (MESH_SERVICE, MULTI_ZONE_SERVICE, EXTERNAL_SERVICE)
PROXY_TYPES: Final = (DATAPLANE, DATAPLANE_INSIGHT)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRules:
    """What the settings say of services."""

    zone: str
    grace_period: timedelta  # that a generated service is kept without proxies


class _Made(NamedTuple):
    """What generators make of a service with these labels."""

    labels: Mapping[str, str]
    generators: tuple[Generator, ...]
    evaluated: tuple[Evaluated | None, ...]


@dataclass(slots=True)
class MeshServices:
    """The services of one mesh and, where they matter, its proxies.

    `used` are the virtual addresses of all meshes.
    """

    mesh: str
    used: UsedAddresses
    mode: MeshServicesMode = MeshServicesMode.Disabled
    has_mtls: bool = False
    has_proxies: bool = False  # they are read, and followed
    due: dict[str, set[str]] = field(
        default_factory=lambda: {each: set() for each in SERVICE_TYPES}
    )
    names_due: set[str] = field(default_factory=lambda: set(SERVICE_TYPES))  # types
    known: dict[str, dict[str, Known]] = field(
        default_factory=lambda: {each: {} for each in SERVICE_TYPES}
    )
    proxies: dict[str, ServiceProxy] = field(default_factory=dict)
    states: dict[str, ProxyState] = field(default_factory=dict)
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of conflicts, by MeshService
    counts_due: dict[str, float] = field(default_factory=dict)  # when counts alone may be written
    names: dict[str, dict[str, ServiceNames]] = field(
        default_factory=lambda: {each: {} for each in SERVICE_TYPES}
    )
    _offering: dict[str, set[str]] = field(default_factory=dict)  # proxies by service tag
    _selective: set[str] = field(default_factory=set)  # MeshServices with a selector of their own
    _later: dict[str, float] = field(default_factory=dict)  # when MeshServices are looked at again
    _next: float = math.inf  # the first of them
    _made: dict[str, dict[str, _Made]] = field(
        default_factory=lambda: {each: {} for each in SERVICE_TYPES}
    )

    @property
    def generates(self) -> bool:
        return self.mode is not MeshServicesMode.Disabled

    @property
    def needs_proxies(self) -> bool:
        return self.generates or bool(self.known[MESH_SERVICE])

    @property
    def is_due(self) -> bool:
        return (
            bool(self.names_due)
            or any(self.due.values())
            or (self.needs_proxies and not self.has_proxies)
        )

    @property
    def next_due(self) -> float:
        return -math.inf if self.is_due else self._next

    def look_again(self, name: str, at: float) -> None:
        """The MeshService `name` has something to become of it at this time of the loop's clock."""
        self._later[name] = at
        self._next = min(self._next, at)

    def take_due(self, now: float) -> dict[str, list[str]]:
        """All that is to be looked at, by type; it is due no more."""
        ready = [name for name, at in self._later.items() if at <= now]
        for name in ready:
            del self._later[name]
        self._next = min(self._later.values(), default=math.inf)
        self.due[MESH_SERVICE].update(ready)
        taken = {type_name: sorted(names) for type_name, names in self.due.items()}
        for names in self.due.values():
            names.clear()
        return taken

    def all_due(self) -> None:
        for type_name, known in self.known.items():
            self.due[type_name].update(known)
        self.due[MESH_SERVICE].update(self._offering)
        self.names_due.update(SERVICE_TYPES)

    def take_mesh(self, stored: StoredResource) -> None:
        try:
            spec = spec_as(Mesh, stored)
        except (ParseError, InvalidResourceError):
            return  # who counts the mesh says so in the log
        services = spec.mesh_services
        mode = MeshServicesMode.Disabled if services is None else services.mode
        has_mtls = bool(spec.mtls and spec.mtls.enabled_backend)
        if (mode, has_mtls) != (self.mode, self.has_mtls):
            self.mode, self.has_mtls = mode, has_mtls
            self.all_due()
        self._drop_needless()

    def take(self, stored: StoredResource) -> None:
        """Look into a resource of SERVICE_TYPES or PROXY_TYPES."""
        key = stored.key
        try:
            if key.type == DATAPLANE:
                spec = spec_as(Dataplane, stored)
                self._learn_proxy(key.name, service_proxy(key.name, stored.created_at, spec))
            elif key.type == DATAPLANE_INSIGHT:
                self._learn_state(key.name, _state(read_message(ObservedProxy, members(stored))))
            else:
                self._learn_service(key.type, key.name, read_known(stored))
        except (ParseError, InvalidResourceError, ValueError):
            log.error(
                "resource-unreadable: %s %s of the mesh %s counts for no service: no release of"
                " this program has stored it so. Write it anew.",
                key.type,
                go_quote(key.name),
                go_quote(key.mesh),
            )
            self.forget(key)

    def forget(self, key: ResourceKey) -> None:
        """A resource of one of these types is gone."""
        if key.type == DATAPLANE:
            self._learn_proxy(key.name, None)
        elif key.type == DATAPLANE_INSIGHT:
            self._learn_state(key.name, None)
        else:
            self._learn_service(key.type, key.name, None)
            self._drop_needless()

    def keep_only(self, type_name: str, names: Collection[str]) -> None:
        """`names` are all there are of a type of SERVICE_TYPES or PROXY_TYPES."""
        books: Mapping[str, Mapping[str, object]] = {
            DATAPLANE: self.proxies,
            DATAPLANE_INSIGHT: self.states,
            **self.known,
        }
        for gone in [name for name in books[type_name] if name not in names]:
            self.forget(ResourceKey(type_name, self.mesh, gone))

    def holders(self, address: str) -> list[tuple[datetime, str, str, str]]:
        """The services with this address, each as time of creation, type, mesh and name."""
        return [
            (known.created_at, type_name, self.mesh, name)
            for type_name, services in self.known.items()
            for name, known in services.items()
            if address in addresses_of(known.status)
        ]

    def part(self, type_name: str, name: str) -> None:
        """A service has the address of another one: it is to get its own."""
        known = self.known[type_name][name]
        self._learn_service(type_name, name, known._replace(status=without_address(known.status)))
        taken = self.known[type_name][name]
        self.known[type_name][name] = taken._replace(address_before="")

    def write(self, type_name: str, name: str, known: Known | None) -> None:
        """What was written here. Nothing is due of it."""
        was_due = name in self.due[type_name]
        self._learn_service(type_name, name, known)
        if not was_due:
            self.due[type_name].discard(name)

    def drop(self) -> None:
        """The mesh is gone."""
        for type_name, services in self.known.items():
            for name in list(services):
                self._learn_service(type_name, name, None)

    def selected(self, selector: Selector) -> list[ServiceProxy]:
        """The proxies of a MeshService, by name."""
        if selector.dataplane_ref is not None:
            names: Iterable[str] = {selector.dataplane_ref.name} & self.proxies.keys()
        elif (service := selector.dataplane_tags.get(SERVICE)) is not None:
            names = self._offering.get(service, ())
        else:
            names = self.proxies
        found = (self.proxies[name] for name in names)
        return sorted(
            (each for each in found if selects(selector, each)), key=lambda each: each.name
        )

    def offering(self, service: str) -> list[ServiceProxy]:
        """The proxies with an inbound of this service tag."""
        return [self.proxies[name] for name in self._offering.get(service, ())]

    def size(self, service: str) -> int:
        """About how many proxies have to be looked at for a MeshService."""
        known = self.known[MESH_SERVICE].get(service)
        if known is None or known.spec.selector.dataplane_tags.get(SERVICE) == service:
            return len(self._offering.get(service, ()))
        return len(self.proxies)

    def made(
        self,
        type_name: str,
        service: HostnamedService,
        generators: tuple[Generator, ...],
        make: Callable[[HostnamedService], tuple[Evaluated | None, ...]],
    ) -> tuple[Evaluated | None, ...]:
        """What `make` gives for a service, which is asked again when something of it changes."""
        made = self._made[type_name].get(service.name)
        if made is None or made.labels != service.labels or made.generators is not generators:
            made = _Made(service.labels, generators, make(service))
            self._made[type_name][service.name] = made
        return made.evaluated

    def _learn_service(self, type_name: str, name: str, known: Known | None) -> None:
        services = self.known[type_name]
        before = services.get(name)
        if before is None and known is None:
            return
        if before is not None:
            for address in addresses_of(before.status):
                self.used.leave(address)
            if type_name == MESH_SERVICE:
                self._selective.discard(name)
            if known is not None and known.created_at == before.created_at:
                known = known._replace(address_before=_address_before(before, known))
        if known is None:
            services.pop(name, None)
            self._made[type_name].pop(name, None)
            if type_name == MESH_SERVICE:
                self.told.pop(name, None)
                self.counts_due.pop(name, None)
        else:
            services[name] = known
            if type_name == MESH_SERVICE and not _is_plain(name, known):
                self._selective.add(name)
            for address in addresses_of(known.status):
                self.used.take(address)
        self.due[type_name].add(name)
        if before is None or known is None or before.labels != known.labels:
            self.names_due.add(type_name)
            if type_name == MESH_SERVICE:
                self.due[MULTI_ZONE_SERVICE].update(self.known[MULTI_ZONE_SERVICE])

    def _learn_proxy(self, name: str, proxy: ServiceProxy | None) -> None:
        before = self.proxies.get(name)
        if before == proxy:
            return
        if before is not None:
            del self.proxies[name]
            for service in before.services:
                self._offering[service].discard(name)
                if not self._offering[service]:
                    del self._offering[service]
        if proxy is not None:
            self.proxies[name] = proxy
            for service in proxy.services:
                self._offering.setdefault(service, set()).add(name)
        self._mark(before, proxy)

    def _learn_state(self, name: str, state: ProxyState | None) -> None:
        if self.states.get(name) == state:
            return
        if state is None:
            del self.states[name]
        else:
            self.states[name] = state
        self._mark(self.proxies.get(name))

    def _mark(self, *proxies: ServiceProxy | None) -> None:
        """All services are due that have to do with a proxy, as it was and as it is."""
        there = [each for each in proxies if each is not None]
        due = self.due[MESH_SERVICE]
        for proxy in there:
            due.update(proxy.services)
        for name in self._selective:
            selector = self.known[MESH_SERVICE][name].spec.selector
            if any(selects(selector, each) for each in there):
                due.add(name)

    def _drop_needless(self) -> None:
        if self.has_proxies and not self.needs_proxies:
            self.has_proxies = False
            self.proxies.clear()
            self.states.clear()
            self._offering.clear()
            self._later.clear()
            self._next = math.inf


def _is_plain(name: str, service: Known) -> bool:
    """Whether it selects all proxies of its name, as those do that are generated."""
    selector = service.spec.selector
    return selector.dataplane_ref is None and selector.dataplane_tags.get(SERVICE) == name


def _state(insight: ObservedProxy) -> ProxyState:
    issued = insight.mtls.issued_backend if insight.mtls else ""
    return ProxyState(is_online=insight.is_online, is_certified=bool(issued))


def _address_before(before: Known, known: Known) -> str:
    if addresses_of(known.status):
        return ""
    return next(iter(addresses_of(before.status)), before.address_before)
