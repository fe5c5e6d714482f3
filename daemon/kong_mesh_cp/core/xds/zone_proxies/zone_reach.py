"""Which proxies of a zone a change of one of its meshes touches, and what is offered anew.

It may say too many, never too few. Both moments share what has not changed, so that to look at all
of a mesh takes little.

An egress is touched by what is outside of a mesh, who may call that and how, and by the ways to ask
for services in other zones: never by the instances of this zone. An ingress is touched by the ways
to ask for services of this zone, and as to its endpoints by their instances. Other policies, and
meshes without mTLS at an egress, are nobody's business here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE, Policy
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.cross_mesh.gateway_listeners import GATEWAY
from kong_mesh_cp.core.xds.outside.external_services import EXTERNAL, SECRET, ExternalDestination
from kong_mesh_cp.core.xds.policies.load_balancing_effects import BALANCING
from kong_mesh_cp.core.xds.policies.older_permissions import POLICY_TYPE as OLDER_PERMISSION
from kong_mesh_cp.core.xds.services.service_resources import (
    EXTERNAL as EXTERNAL_RESOURCE,
)
from kong_mesh_cp.core.xds.services.service_resources import (
    MESH_SERVICE,
    MULTI_ZONE,
    ServiceResource,
)
from kong_mesh_cp.core.xds.sorted_map import differing
from kong_mesh_cp.core.xds.world import DATAPLANE, EndpointKey, MeshWorld
from kong_mesh_cp.core.xds.zone_proxies.egress_chains import FOR_CLIENTS, FOR_RESOURCES
from kong_mesh_cp.core.xds.zone_proxies.zone_view import mesh_cluster, speaks_tls

# By which clients ask for services: see `tagged_destinations`.
_WAYS: Final = ("TrafficRoute", "MeshGatewayRoute", GATEWAY, "VirtualOutbound")
_ROUTES: Final = (HTTP_ROUTE, TCP_ROUTE)
_AT_EGRESS: Final = (
    *_WAYS,
    EXTERNAL,
    EXTERNAL_RESOURCE,
    SECRET,
    OLDER_PERMISSION,
    "FaultInjection",
    "RateLimit",
)
_POLICIES_AT_EGRESS: Final = (
    *_ROUTES,
    BALANCING,
    *(each.policy_type for each in (*FOR_CLIENTS, *FOR_RESOURCES)),
)


class ZoneReached(NamedTuple):
    """What a change touches."""

    egresses: bool = False  # all of them, as a whole
    ingresses: bool = False  # likewise
    endpoints: frozenset[EndpointKey] = frozenset()  # of ingresses, as the zone knows them
    is_offered: bool = False  # what other zones reach through the ingresses is something else

    def __bool__(self) -> bool:
        return any(self)


EVERYTHING: Final = ZoneReached(egresses=True, ingresses=True, is_offered=True)


def zone_reached(before: MeshWorld | None, after: MeshWorld | None) -> ZoneReached:
    """Of a mesh which was `before`; None: it was not there, or is not."""
    if before is None or after is None:
        return EVERYTHING
    if before is after:
        return ZoneReached()
    services = differing(before.endpoints, after.endpoints)
    is_mesh = not _is_equal(before.mesh, after.mesh)
    is_gateway = _differs(before, after, GATEWAY) or _are_gateways(before, after)
    ways = any(_differs(before, after, each) for each in _WAYS) or any(
        _are_others(before, after, each) for each in _ROUTES
    )
    return ZoneReached(
        egresses=_reaches_egresses(before, after, is_mesh=is_mesh),
        ingresses=ways or is_gateway or _leads_elsewhere(before, after),
        endpoints=frozenset(
            (
                *(mesh_cluster(after.name, each) for each in services),
                *differing(before.reached, after.reached),
            )
        ),
        is_offered=bool(services) or is_mesh or is_gateway or _differs(before, after, EXTERNAL),
    )


def _reaches_egresses(before: MeshWorld, after: MeshWorld, *, is_mesh: bool) -> bool:
    if not speaks_tls(before.mesh.spec) and not speaks_tls(after.mesh.spec):
        return False
    return (
        is_mesh
        or any(_differs(before, after, each) for each in _AT_EGRESS)
        or any(_are_others(before, after, each) for each in _POLICIES_AT_EGRESS)
    )


def _leads_elsewhere(before: MeshWorld, after: MeshWorld) -> bool:
    """A name that an ingress is asked for is new, or leads to something else than before."""
    if before.external is not after.external and _gates(before) != _gates(after):
        return True
    if before.services is after.services:
        return False
    was, now = before.services.by_name, after.services.by_name
    return any(
        _passed_on(was.get(each)) != _passed_on(now.get(each)) for each in differing(was, now)
    )


def _gates(world: MeshWorld) -> Mapping[str, object]:
    gates: Mapping[str, ExternalDestination] = world.external
    return {service: each.gates for service, each in gates.items() if each.gates}


def _passed_on(service: ServiceResource | None) -> object:
    """All that decides which chains an ingress has for a service, and where they lead."""
    if service is None or service.id.type not in (MESH_SERVICE, MULTI_ZONE):
        return None
    numbers = [each.number for each in service.ports]
    names = [(service.server_name(each), service.cluster(each)) for each in numbers]
    zone = service.labels.get(labels.ZONE, "")
    return service.id, numbers, names, service.parts, zone, service.is_local


def _are_gateways(before: MeshWorld, after: MeshWorld) -> bool:
    """Some proxy that has changed is, or was, a builtin gateway."""
    was, now = before.of_type(DATAPLANE), after.of_type(DATAPLANE)
    return any(
        found is not None and has_spec(found, Dataplane) and found.spec.is_builtin_gateway
        for name in differing(was, now)
        for found in (was.get(name), now.get(name))
    )


def _differs(before: MeshWorld, after: MeshWorld, type_name: str) -> bool:
    """Some resource of the type says something else, has come or has gone."""
    was, now = before.of_type(type_name), after.of_type(type_name)
    return any(not _is_equal(was.get(name), now.get(name)) for name in differing(was, now))


def _is_equal(before: Resource[object] | None, after: Resource[object] | None) -> bool:
    """Both say the same: of the moments only that of creation decides about anything."""
    if before is after:
        return True
    if before is None or after is None:
        return False
    return _said(before) == _said(after)


def _said(resource: Resource[object]) -> object:
    return resource.spec, resource.labels, resource.status, resource.created_at


def _are_others(before: MeshWorld, after: MeshWorld, policy_type: str) -> bool:
    if before.policies is after.policies:
        return False
    return not _are_same(before.policies.of_type(policy_type), after.policies.of_type(policy_type))


def _are_same(before: Iterable[Policy], after: Iterable[Policy]) -> bool:
    was, now = [*before], [*after]
    return len(was) == len(now) and all(
        one is other or one == other for one, other in zip(was, now, strict=True)
    )
