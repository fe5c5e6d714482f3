"""What the services of a mesh should be like, from what is known of it.

Source: docs/wire/services.md#generated-services, docs/wire/services.md#status
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from kong_mesh_cp.core.meshes.services import service_status
from kong_mesh_cp.core.meshes.services.generated_services import (
    Generated,
    can_be_named,
    generated,
    generated_labels,
    generated_selector,
    grace_left,
    is_generated,
    with_grace,
    without_grace,
)
from kong_mesh_cp.core.meshes.services.service_hostnames import (
    NO_NAMES,
    Generator,
    HostnamedService,
    ServiceNames,
    evaluated,
    service_names,
)
from kong_mesh_cp.core.resources.kinds.services.address_status import Vip
from kong_mesh_cp.core.resources.kinds.services.mesh_external_service import (
    MeshExternalServiceStatus,
)
from kong_mesh_cp.core.resources.kinds.services.mesh_service import (
    DataplaneProxies,
    MeshService,
    MeshServiceStatus,
    TlsStatus,
)
from kong_mesh_cp.usecases.upkeep.known_services import Known
from kong_mesh_cp.usecases.upkeep.mesh_services import (
    MESH_SERVICE,
    MULTI_ZONE_SERVICE,
    GenerationRules,
    MeshServices,
)

NEW_STATUS: Final = MeshServiceStatus(tls=TlsStatus(), dataplane_proxies=DataplaneProxies())


class Wanted(NamedTuple):
    """What a service should be. `spec` None: it should not be there."""

    labels: Mapping[str, str]
    spec: Any
    status: Any
    kept_for: timedelta | None = None  # its grace period goes on for so long
    conflicting: tuple[str, ...] = ()  # proxies that say something else of its ports


GONE: Final = Wanted({}, None, None)


def wanted(
    book: MeshServices, type_name: str, name: str, rules: GenerationRules, now: datetime
) -> Wanted | None:
    """But for host names and virtual addresses. None: there is none, and should be none."""
    known = book.known[type_name].get(name)
    if type_name == MESH_SERVICE:
        return _mesh_service(book, name, known, rules, now)
    if known is None:
        return None
    if type_name != MULTI_ZONE_SERVICE:
        return Wanted(known.labels, known.spec, known.status)
    labels = {each: service.labels for each, service in book.known[MESH_SERVICE].items()}
    selected = known.spec.selector.mesh_service.match_labels
    matched = service_status.matched_services(selected, labels, book.mesh)
    return Wanted(known.labels, known.spec, replace(known.status, mesh_services=matched))


def _mesh_service(
    book: MeshServices, name: str, known: Known | None, rules: GenerationRules, now: datetime
) -> Wanted | None:
    if known is not None and not is_generated(known.labels):
        return _observed(book, Wanted(known.labels, known.spec, known.status))
    made = None
    if book.generates and can_be_named(name):
        ports = None if known is None else known.spec.ports
        made = generated(name, book.offering(name), ports)
    if known is None:
        return None if made is None else _observed(book, _new(book.mesh, name, made, rules))
    if not book.generates:
        return GONE
    if made is None:
        return _without_proxies(book, known, rules, now)
    spec = known.spec
    kept_labels = without_grace(known.labels)
    if made.ports != spec.ports or kept_labels != known.labels:
        spec = replace(spec, selector=generated_selector(name), ports=made.ports)
    return _observed(book, Wanted(kept_labels, spec, known.status, conflicting=made.conflicting))


def _new(mesh: str, name: str, made: Generated, rules: GenerationRules) -> Wanted:
    spec = MeshService(selector=generated_selector(name), ports=made.ports)
    labels = generated_labels(mesh, name, rules.zone)
    return Wanted(labels, spec, NEW_STATUS, conflicting=made.conflicting)


def _without_proxies(
    book: MeshServices, known: Known, rules: GenerationRules, now: datetime
) -> Wanted:
    left = grace_left(known.labels, rules.grace_period, now)
    if left is not None and left <= timedelta(0):
        return GONE
    labels = with_grace(known.labels, now) if left is None else known.labels
    left = rules.grace_period if left is None else left
    return _observed(book, Wanted(labels, known.spec, known.status, kept_for=left))


def _observed(book: MeshServices, service: Wanted) -> Wanted:
    """With what is seen of its proxies; those of another zone are seen there."""
    if not service_status.is_of_this_zone(service.labels):
        return service
    spec, status = service.spec, service.status
    proxies = book.selected(spec.selector)
    counts = service_status.counts(proxies, book.states, spec.ports)
    available = service_status.AVAILABLE if counts.healthy else service_status.UNAVAILABLE
    tls = service_status.tls(status.tls.status, proxies, book.states, has_mtls=book.has_mtls)
    return service._replace(
        spec=replace(spec, state=available, identities=service_status.identities(proxies)),
        status=replace(status, tls=tls, dataplane_proxies=counts),
    )


def names_of(
    book: MeshServices,
    type_name: str,
    there: Iterable[HostnamedService],
    generators: tuple[Generator, ...],
    zone: str,
) -> dict[str, ServiceNames]:
    """The host names of all services of a type, by service."""
    services = list(there)

    def make(service: HostnamedService) -> Any:
        return tuple(evaluated(each, type_name, service, zone) for each in generators)

    made = {each.name: book.made(type_name, each, generators, make) for each in services}
    return service_names(type_name, services, made, generators)


def with_names(status: Any, names: ServiceNames | None) -> Any:
    names = names or NO_NAMES
    return replace(status, addresses=names.addresses, hostname_generators=names.generators)


def with_address(status: Any, address: str) -> Any:
    if isinstance(status, MeshExternalServiceStatus):
        return replace(status, vip=Vip(ip=address))
    return replace(status, vips=(Vip(ip=address),))


def changed_only_in_counts(known: Known, service: Wanted) -> bool:
    """Whether nothing else of a MeshService is new than how many proxies are in which state."""
    if (service.labels, service.spec) != (known.labels, known.spec):
        return False
    if not isinstance(service.status, MeshServiceStatus):
        return False
    counts = service.status.dataplane_proxies
    return bool(replace(known.status, dataplane_proxies=counts) == service.status)
