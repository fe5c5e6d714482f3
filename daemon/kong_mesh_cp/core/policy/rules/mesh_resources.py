"""The view that matching and merging have of a mesh, made from its stored resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from kong_mesh_cp.core.policy.rules.destinations import MESH, Destination, Destinations, Port
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.proxies import (
    ANY_HOSTNAME,
    GatewayListener,
    GatewayRole,
    Inbound,
    Listener,
    MeshGateway,
    Proxy,
)
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.kinds import dataplane, mesh_gateway
from kong_mesh_cp.core.resources.meta import Resource

RenderedSpec = Callable[[Resource], Mapping[str, object]]
"""The spec of a policy or service in JSON, as answers show it under `spec`."""

_DESTINATIONS: Final = (MESH, "MeshService", "MeshExternalService", "MeshMultiZoneService")


def mesh_view(resources: Iterable[Resource], rendered: RenderedSpec) -> MeshView:
    """What the Mesh, the policies, gateways and services among `resources` say about proxies.

    They are of one mesh and in the order of the store's lists; others among them do not matter.
    """
    listed = tuple(resources)
    return MeshView(
        policies=tuple(
            policy_of(meta_of(each), rendered(each)) for each in listed if each.type in TRAITS
        ),
        gateways=tuple(
            gateway_of(each, each.spec)
            for each in listed
            # By the class, which is the same question as by the type and tells mypy more.
            if isinstance(each.spec, mesh_gateway.MeshGateway)
        ),
        destinations=Destinations(
            _destination(each, rendered) for each in listed if each.type in _DESTINATIONS
        ),
    )


def meta_of(resource: Resource) -> Meta:
    return Meta(resource.type, resource.mesh, resource.name, resource.labels)


def proxy_of(resource: Resource, spec: dataplane.Dataplane) -> Proxy:
    """The proxy of a Dataplane; one without `networking` has nothing that could be selected."""
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


def gateway_of(resource: Resource, spec: mesh_gateway.MeshGateway) -> MeshGateway:
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


def _destination(resource: Resource, rendered: RenderedSpec) -> Destination:
    if resource.type == MESH:
        return Destination(meta_of(resource))
    # MeshExternalService has one port under `match`, and no sections; nothing is found for it here.
    ports = rendered(resource).get("ports")
    return Destination(
        meta_of(resource),
        tuple(
            Port(port["port"], str(port.get("name") or ""))
            for port in (ports if isinstance(ports, list) else ())
        ),
    )
