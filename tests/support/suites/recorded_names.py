"""What there is to call by name in the meshes of recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from kong_mesh_cp.core.meshes.virtual_addresses import allocate
from kong_mesh_cp.core.meshes.virtual_hosts import (
    NameSources,
    NamingRule,
    external_host,
    inbound_tags,
    named_gateways,
    names,
    remote_tags,
)
from kong_mesh_cp.core.meshes.virtual_outbounds import VirtualDestinations, destinations
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.legacy.virtual_outbound import VirtualOutbound
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource, has_spec


def addresses_of(
    mesh: str, resources: Sequence[Resource[Any]], zone: str, env: Mapping[str, str]
) -> VirtualDestinations:
    """What there is to call by name. `resources` are of all meshes, as they were put."""
    domain = env.get("KUMA_DNS_SERVER_DOMAIN", "mesh")
    found = sorted(resources, key=lambda each: each.name)
    own = [each for each in found if each.mesh == mesh]
    remote = [
        service
        for each in found
        if has_spec(each, ZoneIngress)
        for service in remote_tags(each.spec, zone)
    ]
    sources = NameSources(
        inbounds=[
            tags
            for each in resources
            if each.mesh == mesh and has_spec(each, Dataplane)
            for tags in inbound_tags(each.spec)
        ],
        remote=[tags for of, tags in remote if of == mesh],
        external=[
            external_host(each.name, each.spec) for each in own if has_spec(each, ExternalService)
        ],
        rules=[
            NamingRule(each.name, each.created_at, each.spec)
            for each in own
            if has_spec(each, VirtualOutbound)
        ],
        gateways=[
            listener
            for each in found
            if has_spec(each, MeshGateway)
            for listener in named_gateways(each.mesh, each.name, each.spec, domain)
        ],
    )
    service_names = env.get("KUMA_DNS_SERVER_SERVICE_VIP_ENABLED", "true") == "true"
    network = ip_network(env.get("KUMA_DNS_SERVER_CIDR", "240.0.0.0/4"))
    allocation = allocate(names(sources, service_names=service_names).hosts, {}, network, {})
    port = int(env.get("KUMA_DNS_SERVER_SERVICE_VIP_PORT", "80"))
    return destinations(allocation.services, domain=domain, port=port)
