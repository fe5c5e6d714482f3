"""Listeners of builtin gateways that other meshes may call, as instances of a service.

Source: docs/wire/zone-proxies.md#gateways
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import served_gateway
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE
from kong_mesh_cp.core.xds.services.instances import Endpoint, pairs
from kong_mesh_cp.core.xds.world import DATAPLANE, MeshWorld

GATEWAY: Final = "MeshGateway"


def gateway_instances(world: MeshWorld) -> Iterator[tuple[str, Endpoint]]:
    """With the service of each. Where no gateway is for other meshes, no proxy is looked at."""
    gateways = {
        each.name: each.spec
        for each in world.of_type(GATEWAY).values()
        if has_spec(each, MeshGateway)
    }
    if not any(each.is_cross_mesh for each in gateways.values()):
        return
    for resource in world.of_type(DATAPLANE).values():
        if not has_spec(resource, Dataplane) or not resource.spec.is_builtin_gateway:
            continue
        served = served_gateway(proxy_of(resource), world.policies.gateways)
        gateway = None if served is None else gateways.get(served.meta.name)
        networking = resource.spec.networking
        if gateway is None or gateway.conf is None or networking is None:
            continue
        own = networking.gateway.tags if networking.gateway is not None else {}
        for listener in gateway.conf.listeners:
            if listener.cross_mesh:
                tags = pairs({**own, **gateway.tags, **listener.tags})
                yield (
                    own.get(SERVICE, ""),
                    Endpoint(networking.address, listener.port, tags, zone=own.get(ZONE)),
                )
