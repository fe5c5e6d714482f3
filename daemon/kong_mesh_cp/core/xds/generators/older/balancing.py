"""How the clusters of a TrafficRoute choose among their endpoints.

Source: docs/wire/older-policies.md#routes
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import LoadBalancer
from kong_mesh_cp.core.xds.envoy.envoy_messages import Cluster, Message

CHOICES: Final = 2  # endpoints among which the least loaded is taken


def balance(cluster: Message, balancer: LoadBalancer) -> None:
    """One after the other unless `balancer` says otherwise."""
    if balancer.least_request is not None:
        cluster.lb_policy = Cluster.LEAST_REQUEST
        choices = balancer.least_request.choice_count or CHOICES
        cluster.least_request_lb_config.choice_count.value = choices
    elif balancer.ring_hash is not None:
        ring = balancer.ring_hash
        cluster.lb_policy = Cluster.RING_HASH
        config = cluster.ring_hash_lb_config
        config.hash_function = type(config).HashFunction.Value(ring.hash_function)
        config.minimum_ring_size.value = ring.min_ring_size
        config.maximum_ring_size.value = ring.max_ring_size
    elif balancer.random is not None:
        cluster.lb_policy = Cluster.RANDOM
    elif balancer.maglev is not None:
        cluster.lb_policy = Cluster.MAGLEV
    else:
        cluster.lb_policy = Cluster.ROUND_ROBIN
