"""Assignments of endpoints to clusters."""

from __future__ import annotations

from collections.abc import Iterable

from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.envoy.envoy_messages import ClusterLoadAssignment, Message, struct_of
from kong_mesh_cp.core.xds.world import Endpoint


def load_assignment(cluster: str, endpoints: Iterable[Endpoint]) -> Message:
    """`endpoints` of `cluster` by locality, in an order that does not change with theirs.

    Source: docs/wire/envoy-names.md#endpoints
    """
    by_zone: dict[str | None, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_zone.setdefault(endpoint.zone, []).append(endpoint)
    found = sorted(by_zone.items(), key=lambda each: each[0] or "")
    return ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[_locality(zone, members) for zone, members in found],
    )


def _locality(zone: str | None, members: list[Endpoint]) -> dict[str, object]:
    ordered = sorted(members, key=lambda each: (each.address, each.port))
    locality: dict[str, object] = {"lb_endpoints": [_lb_endpoint(each) for each in ordered]}
    if zone is not None:
        locality["locality"] = {"zone": zone}
        locality["priority"] = members[0].priority
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
