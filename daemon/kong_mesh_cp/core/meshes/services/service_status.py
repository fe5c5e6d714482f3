"""What the control plane says of a MeshService: its proxies, and whether they take TLS.

Source: docs/wire/services.md#status
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from kong_mesh_cp.core.meshes.services.service_proxies import (
    NEVER_CONNECTED,
    ProxyState,
    ServiceProxy,
    is_healthy,
)
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.services.mesh_multi_zone_service import MatchedService
from kong_mesh_cp.core.resources.kinds.services.mesh_service import (
    DataplaneProxies,
    Identity,
    Port,
    TlsStatus,
)

AVAILABLE: Final = "Available"
UNAVAILABLE: Final = "Unavailable"
READY: Final = "Ready"
NOT_READY: Final = "NotReady"
SERVICE_TAG: Final = "ServiceTag"

States = Mapping[str, ProxyState]
"""By the name of the proxy; who is not in it was never connected."""


def is_of_this_zone(of: Mapping[str, str]) -> bool:
    """Whether this control plane tells of the proxies of a MeshService with these labels."""
    return of.get(labels.ORIGIN, "zone") == "zone"


def identities(proxies: Collection[ServiceProxy]) -> tuple[Identity, ...]:
    found = {service for each in proxies for service in each.identities}
    return tuple(Identity(type=SERVICE_TAG, value=service) for service in sorted(found))


def counts(
    proxies: Collection[ServiceProxy], states: States, ports: tuple[Port, ...]
) -> DataplaneProxies:
    return DataplaneProxies(
        connected=sum(states.get(each.name, NEVER_CONNECTED).is_online for each in proxies),
        healthy=sum(is_healthy(each, ports) for each in proxies),
        total=len(proxies),
    )


def tls(
    before: str, proxies: Collection[ServiceProxy], states: States, *, has_mtls: bool
) -> TlsStatus:
    """Ready once each proxy has got a certificate, and then until the mesh has no mTLS any more.

    A proxy that joins later begins with mTLS, so what is ready stays ready.
    """
    if not has_mtls:
        return TlsStatus(status=NOT_READY)
    if before == READY:
        return TlsStatus(status=READY)
    certified = all(states.get(each.name, NEVER_CONNECTED).is_certified for each in proxies)
    return TlsStatus(status=READY if certified else NOT_READY)


def matches(wanted: Mapping[str, str], of: Mapping[str, str]) -> bool:
    """Whether a MeshMultiZoneService takes a MeshService with the labels `of`.

    A label that is not there counts as an empty one.
    """
    return all(of.get(name, "") == value for name, value in wanted.items())


def matched_services(
    wanted: Mapping[str, str], services: Mapping[str, Mapping[str, str]], mesh: str
) -> tuple[MatchedService, ...]:
    """Those of `services`, labels by name, that a MeshMultiZoneService stands for."""
    found = [
        MatchedService(
            name=labels.display_name(name, of),
            namespace=of.get(labels.NAMESPACE, ""),
            zone=of.get(labels.ZONE, ""),
            mesh=mesh,
        )
        for name, of in services.items()
        if matches(wanted, of)
    ]
    return tuple(sorted(found, key=_full_name))


def _full_name(each: MatchedService) -> str:
    return f"{each.name}/{each.namespace}/{each.zone}/{each.mesh}"
