"""From resources with their types to what matching and merging read; `specs` reads their JSON."""

from __future__ import annotations

from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.proxies import (
    ANY_HOSTNAME,
    GatewayListener,
    GatewayRole,
    Inbound,
    Listener,
    MeshGateway,
    Proxy,
)
from kong_mesh_cp.core.resources.kinds import dataplane, mesh_gateway
from kong_mesh_cp.core.resources.meta import Resource


def meta_of(resource: Resource[object]) -> Meta:
    return Meta(resource.type, resource.mesh, resource.name, resource.labels)


def proxy_of(resource: Resource[dataplane.Dataplane]) -> Proxy:
    """The proxy of a Dataplane; one without `networking` has nothing that could be selected."""
    spec = resource.spec
    networking = spec.networking or dataplane.Networking()
    gateway = spec.gateway
    return Proxy(
        meta=meta_of(resource),
        address=networking.address,
        inbounds=tuple(
            Inbound(
                # An inbound without an address listens on that of the proxy.
                Listener(inbound.address or networking.address, inbound.port),
                inbound.tags,
                inbound.name,
                ignored=inbound.state is dataplane.InboundState.Ignored,
            )
            for inbound in networking.inbound
        ),
        gateway=GatewayRole(spec.is_builtin_gateway, gateway.tags) if gateway else None,
    )


def gateway_of(resource: Resource[mesh_gateway.MeshGateway]) -> MeshGateway:
    spec = resource.spec
    listeners = spec.conf.listeners if spec.conf else ()
    return MeshGateway(
        meta=meta_of(resource),
        selectors=tuple(selector.match for selector in spec.selectors),
        tags=spec.tags,
        listeners=tuple(
            GatewayListener(each.port, each.hostname or ANY_HOSTNAME, each.tags)
            for each in listeners
        ),
        created_at=resource.created_at,
    )
