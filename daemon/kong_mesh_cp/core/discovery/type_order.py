"""Which types a stream tells, in which order, and how they hang together.

Make before break: what is used goes before what uses it (clusters and their endpoints before the
listeners and routes that name them), and what is used no more goes after it.

Source: docs/wire/discovery.md#order-of-types
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

_PREFIX: Final = "type.googleapis.com/"
CLUSTERS: Final = f"{_PREFIX}envoy.config.cluster.v3.Cluster"
ENDPOINTS: Final = f"{_PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENERS: Final = f"{_PREFIX}envoy.config.listener.v3.Listener"
ROUTES: Final = f"{_PREFIX}envoy.config.route.v3.RouteConfiguration"
SCOPED_ROUTES: Final = f"{_PREFIX}envoy.config.route.v3.ScopedRouteConfiguration"
VIRTUAL_HOSTS: Final = f"{_PREFIX}envoy.config.route.v3.VirtualHost"
SECRETS: Final = f"{_PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret"
RUNTIMES: Final = f"{_PREFIX}envoy.service.runtime.v3.Runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeOrder:
    """The types of a stream by type URL."""

    order: tuple[str, ...]  # additions and changes go out in it
    wildcard: frozenset[str]  # a request without names means all resources of these
    # A type that a client wants again after each change of another one (endpoints of a changed
    # cluster, which it warms): type -> the other one.
    warms: Mapping[str, str] = field(default_factory=dict)
    # Types of which new resources must be in place before a user of them is told anything new, and
    # whose old ones stay until the users have taken what does without them: type -> its users.
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)


_USERS: Final = frozenset({LISTENERS, ROUTES, SCOPED_ROUTES, VIRTUAL_HOSTS})
ENVOY: Final = TypeOrder(
    order=(
        *(CLUSTERS, ENDPOINTS, LISTENERS, ROUTES),
        *(SCOPED_ROUTES, VIRTUAL_HOSTS, SECRETS, RUNTIMES),
    ),
    wildcard=frozenset({CLUSTERS, LISTENERS}),
    warms={ENDPOINTS: CLUSTERS},
    users={CLUSTERS: _USERS, ENDPOINTS: _USERS},
)
