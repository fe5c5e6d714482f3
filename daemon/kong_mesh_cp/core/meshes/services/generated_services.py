"""MeshServices that the control plane makes by itself, one for each service tag of a mesh.

Source: docs/wire/services.md#generated-services
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.timestamps import (
    TimestampError,
    format_timestamp,
    nanoseconds_of,
    parse_timestamp,
)
from kong_mesh_cp.core.meshes.services.service_proxies import ServiceProxy
from kong_mesh_cp.core.meshes.services.service_status import is_of_this_zone
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.services.mesh_service import Port, Selector
from kong_mesh_cp.core.resources.meta import label_1035_reasons
from kong_mesh_cp.core.resources.tags import PROTOCOL, SERVICE

MANAGED_BY: Final = "kuma.io/managed-by"
GENERATOR: Final = "meshservice-generator"
GRACE_STARTED: Final = "kuma.io/deletion-grace-period-started-at"
DEFAULT_PROTOCOL: Final = "tcp"

Ports = tuple[Port, ...]


class Generated(NamedTuple):
    """The ports of a service, and the proxies that say something else of them."""

    ports: Ports
    conflicting: tuple[str, ...]


def is_generated(of: Mapping[str, str]) -> bool:
    """Whether a MeshService with the labels `of` was made here, and is kept in line.

    One of another zone was made there, of proxies that are not known here.
    """
    return of.get(MANAGED_BY) == GENERATOR and is_of_this_zone(of)


def can_be_named(service: str) -> bool:
    """Whether the value of a service tag can be a MeshService's name."""
    return not label_1035_reasons(service)


def generated(
    service: str, proxies: Iterable[ServiceProxy], ports: Ports | None
) -> Generated | None:
    """What `proxies` make of `service`; None: none of them offers it.

    `ports` are those of the service that is there: they stay while any proxy has them, and else
    the oldest one decides.
    """
    offered = [
        (proxy.name, found)
        for proxy in sorted(proxies, key=lambda each: (each.created_at, each.name))
        if (found := _ports(service, proxy))
    ]
    if not offered:
        return None
    if ports is None or all(found != ports for _, found in offered):
        ports = offered[0][1]
    return Generated(ports, tuple(name for name, found in offered if found != ports))


def _ports(service: str, proxy: ServiceProxy) -> Ports:
    return tuple(
        Port(
            name=each.name or str(each.port),
            port=each.port,
            target_port=each.port,
            app_protocol=each.tags.get(PROTOCOL, DEFAULT_PROTOCOL),
        )
        for each in proxy.inbounds
        if each.tags.get(SERVICE) == service
    )


def generated_selector(service: str) -> Selector:
    return Selector(dataplane_tags={SERVICE: service})


def generated_labels(mesh: str, service: str, zone: str) -> dict[str, str]:
    return {
        labels.DISPLAY_NAME: service,
        labels.ENV: labels.UNIVERSAL,
        MANAGED_BY: GENERATOR,
        labels.MESH: mesh,
        labels.ORIGIN: "zone",
        labels.ZONE: zone,
    }


def with_grace(of: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The labels of a service whose last proxy has gone `now`."""
    return {**of, GRACE_STARTED: format_timestamp(nanoseconds_of(now))}


def without_grace(of: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in of.items() if name != GRACE_STARTED}


def grace_left(of: Mapping[str, str], period: timedelta, now: datetime) -> timedelta | None:
    """How long the service is still kept; None: that was not begun, or not readably."""
    started = of.get(GRACE_STARTED)
    if started is None:
        return None
    try:
        passed = nanoseconds_of(now) - parse_timestamp(started)
    except TimestampError:
        return None
    return period - timedelta(microseconds=passed // 1000)
