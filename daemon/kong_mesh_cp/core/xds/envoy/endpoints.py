"""Assignments of endpoints to clusters."""

from __future__ import annotations

from collections.abc import Iterable

from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.envoy.envoy_messages import ClusterLoadAssignment, Message, struct_of
from kong_mesh_cp.core.xds.world import Endpoint


def load_assignment(
    cluster: str, endpoints: Iterable[Endpoint], *, overprovisioning: int = 0
) -> Message:
    """`endpoints` of `cluster` by locality, in an order that does not change with theirs.

    `overprovisioning` is in per cent; 0: as Envoy does it.
    Source: docs/wire/envoy-names.md#endpoints
    """
    by_locality: dict[tuple[str | None, str], list[Endpoint]] = {}
    for endpoint in endpoints:
        by_locality.setdefault((endpoint.zone, endpoint.sub_zone), []).append(endpoint)
    found = sorted(by_locality.items(), key=lambda each: (each[0][0] or "") + each[0][1])
    message: Message = ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[_locality(zone, members) for (zone, _), members in found],
    )
    if overprovisioning:
        message.policy.overprovisioning_factor.value = overprovisioning
    return message


def _locality(zone: str | None, members: list[Endpoint]) -> dict[str, object]:
    ordered = sorted(members, key=lambda each: (each.address, each.port))
    locality: dict[str, object] = {"lb_endpoints": [_lb_endpoint(each) for each in ordered]}
    if zone is not None:
        first = members[0]
        locality["locality"] = {"zone": zone, "sub_zone": first.sub_zone}
        locality["priority"] = first.priority
        if first.share:
            locality["load_balancing_weight"] = {"value": first.share}
    return locality


def _lb_endpoint(endpoint: Endpoint) -> dict[str, object]:
    found: dict[str, object] = {
        "endpoint": {
            "address": {
                "socket_address": {"address": endpoint.address, "port_value": endpoint.port}
            }
        },
    }
    if endpoint.weight:
        found["load_balancing_weight"] = {"value": endpoint.weight}
    # The service is in the cluster's name already.
    tags = [tag for tag in endpoint.tags if tag[0] != SERVICE]
    if tags:
        values = struct_of(tags)
        found["metadata"] = {
            "filter_metadata": {"envoy.lb": values, "envoy.transport_socket_match": values}
        }
    return found
