"""What is known of services by tags beside their instances: virtual addresses, certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.insights.certificate_facts import tls_ready_services
from kong_mesh_cp.core.meshes.virtual_addresses import MalformedAddressesError, parse
from kong_mesh_cp.core.meshes.virtual_outbounds import (
    NO_DESTINATIONS,
    VirtualDestinations,
    destinations,
)
from kong_mesh_cp.core.resources.kinds.config import Config
from kong_mesh_cp.core.resources.kinds.insights import ServiceInsight
from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MtlsMode
from kong_mesh_cp.core.resources.meta import Resource, has_spec

SERVICE_INSIGHT: Final = "ServiceInsight"
CONFIG: Final = "Config"


def virtual_destinations(
    resources: Mapping[str, Mapping[str, Resource[object]]], *, domain: str, port: int
) -> VirtualDestinations:
    """What is behind the names that have virtual addresses. The Config is the one of the mesh."""
    for config in resources.get(CONFIG, {}).values():
        if has_spec(config, Config):
            try:
                services = parse(config.spec.config)
            except MalformedAddressesError:
                break  # who keeps them says so, and writes them anew
            return destinations(services, domain=domain, port=port)
    return NO_DESTINATIONS


def services_with_tls(
    mesh: Resource[Mesh], resources: Mapping[str, Mapping[str, Resource[object]]]
) -> frozenset[str]:
    """Services all of whose proxies have a certificate of the mesh.

    It counts where mTLS is PERMISSIVE only; elsewhere nothing is said to be ready.
    """
    authority = mesh.spec.enabled_ca
    if authority is None or authority.mode is not MtlsMode.PERMISSIVE:
        return frozenset()
    insights = resources.get(SERVICE_INSIGHT, {}).values()
    insight = next((each.spec for each in insights if has_spec(each, ServiceInsight)), None)
    return tls_ready_services(insight, mesh.spec)
