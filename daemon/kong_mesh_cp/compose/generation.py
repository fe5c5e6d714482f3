"""What holds for the configurations of all proxies of this control plane."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds import indexed_mesh, proxy_view
else:  # they bring Envoy's messages
    indexed_mesh = lazy_import("kong_mesh_cp.core.xds.indexed_mesh")
    proxy_view = lazy_import("kong_mesh_cp.core.xds.proxy_view")


def generation_terms(settings: Settings) -> proxy_view.GenerationTerms:
    internal = map(ipaddress.ip_interface, settings.ipam.known_internal_CIDRs)
    return proxy_view.GenerationTerms(
        internal=tuple((str(each.ip), each.network.prefixlen) for each in internal)
    )


def world_rules(settings: Settings) -> indexed_mesh.WorldRules:
    names = settings.dns_server
    return indexed_mesh.WorldRules(
        zone=settings.multizone.zone.name,
        domain=names.domain,
        service_port=names.service_vip_port,
    )
