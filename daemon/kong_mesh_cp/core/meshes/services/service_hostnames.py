"""The host names that HostnameGenerators make for the services of a mesh, and their conditions.

Source: docs/wire/services.md#host-names
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from kong_mesh_cp.core.meshes.services.hostname_templates import (
    NamedService,
    TemplateError,
    host_name,
)
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.services.address_status import (
    Address,
    Condition,
    GeneratorRef,
    GeneratorStatus,
)
from kong_mesh_cp.core.resources.kinds.services.hostname_generator import (
    HostnameGenerator,
    LabelSelector,
)
from kong_mesh_cp.core.resources.meta import Resource

GENERATED: Final = "Generated"  # the type of the condition, and its reason where it holds
TEMPLATE_ERROR: Final = "TemplateError"
COLLISION: Final = "Collision"
ORIGIN: Final = "HostnameGenerator"

Generator = Resource[HostnameGenerator]


class HostnamedService(NamedTuple):
    """A service, as far as generators look at it."""

    name: str
    mesh: str
    labels: Mapping[str, str]
    created_at: datetime


class ServiceNames(NamedTuple):
    """What the generators come to for one service."""

    addresses: tuple[Address, ...] = ()
    generators: tuple[GeneratorStatus, ...] = ()


NO_NAMES: Final = ServiceNames()


class Evaluated(NamedTuple):
    """What one generator makes of one service: a name, or why there is none."""

    hostname: str = ""
    fault: str = ""


def in_order(generators: Iterable[Generator]) -> list[Generator]:
    """Those of zones first, then the older ones: of two that make one name, the first has it."""
    return sorted(
        generators,
        key=lambda each: (each.labels.get(labels.ORIGIN) != "zone", each.created_at, each.name),
    )


def selector_for(service_type: str, spec: HostnameGenerator) -> LabelSelector | None:
    match service_type:
        case "MeshService":
            return spec.selector.mesh_service
        case "MeshExternalService":
            return spec.selector.mesh_external_service
        case _:
            return spec.selector.mesh_multi_zone_service


def evaluated(
    generator: Generator, service_type: str, service: HostnamedService, zone: str
) -> Evaluated | None:
    """None: the generator is not for the service, or makes an empty name."""
    selector = selector_for(service_type, generator.spec)
    if selector is None or not selector.match_labels.items() <= service.labels.items():
        return None
    named = NamedService(
        Name=service.name,
        # An empty label is a name, too: only a missing one is not.
        DisplayName=service.labels.get(labels.DISPLAY_NAME, service.name),
        Namespace=service.labels.get(labels.NAMESPACE, ""),
        Mesh=service.mesh,
        Zone=service.labels.get(labels.ZONE) or zone,
    )
    try:
        hostname = host_name(generator.spec.template, named, service.labels)
    except TemplateError as error:
        return Evaluated(fault=str(error))
    return Evaluated(hostname=hostname) if hostname else None


def service_names(
    service_type: str,
    services: Iterable[HostnamedService],
    made: Mapping[str, Sequence[Evaluated | None]],
    generators: Sequence[Generator],
) -> dict[str, ServiceNames]:
    """By service. `services` are all of one type and mesh; `made` has, for each, what each of
    `generators`, which are in order, makes of it.

    A name is that of the first service that gets it: generator by generator, the oldest first.
    """
    owners: dict[str, str] = {}
    found: dict[str, dict[str, tuple[str, Condition]]] = {}
    aged = sorted(services, key=lambda each: (each.created_at, each.name))
    for index, generator in enumerate(generators):
        for service in aged:
            one = made[service.name][index]
            if one is None:
                continue
            hostname, condition = one.hostname, _condition("True", GENERATED)
            if one.fault:
                condition = _condition("False", TEMPLATE_ERROR, one.fault)
            elif owners.setdefault(hostname, service.name) != service.name:
                reason = f"Hostname collision with {service_type}: {service.name}"
                hostname, condition = "", _condition("False", COLLISION, reason)
            found.setdefault(service.name, {})[generator.name] = (hostname, condition)
    return {name: _names(by_generator) for name, by_generator in found.items()}


def _names(by_generator: Mapping[str, tuple[str, Condition]]) -> ServiceNames:
    addresses, statuses = [], []
    for name in sorted(by_generator):
        hostname, condition = by_generator[name]
        ref = GeneratorRef(core_name=name)
        if hostname:
            addresses.append(Address(hostname=hostname, origin=ORIGIN, hostname_generator_ref=ref))
        statuses.append(GeneratorStatus(hostname_generator_ref=ref, conditions=(condition,)))
    return ServiceNames(tuple(addresses), tuple(statuses))


def _condition(status: str, reason: str, message: str = "") -> Condition:
    return Condition(type=GENERATED, status=status, reason=reason, message=message)
