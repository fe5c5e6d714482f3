"""Listeners of builtin gateways that other meshes may call, as instances of a service.

Source: docs/wire/gateways.md#across-meshes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of, proxy_of
from kong_mesh_cp.core.policy.rules.proxies import served_gateway
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE
from kong_mesh_cp.core.xds.services.instances import Endpoint, pairs

GATEWAY: Final = "MeshGateway"


def gateway_instances(
    gateways: Iterable[Resource[object]], dataplanes: Iterable[Resource[object]]
) -> Iterator[tuple[str, Endpoint]]:
    """With the service of each; both are of one mesh. Where no gateway is for other meshes, no
    proxy is looked at.
    """
    found = [each for each in gateways if has_spec(each, MeshGateway)]
    if not any(each.spec.is_cross_mesh for each in found):
        return
    by_name = {each.name: each.spec for each in found}
    roles = [gateway_of(each) for each in found]
    for resource in dataplanes:
        if not has_spec(resource, Dataplane) or not resource.spec.is_builtin_gateway:
            continue
        served = served_gateway(proxy_of(resource), roles)
        gateway = None if served is None else by_name[served.meta.name]
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
