"""The types of policies that can be inspected."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.resources.registry import TYPES

GATEWAY: Final = "MeshGateway"
GATEWAY_ROUTE: Final = "MeshGatewayRoute"

# Policies of the older generation that are attached to proxies; the others only name services.
LEGACY: Final = tuple(
    row.name
    for row in TYPES.values()
    if row.is_policy
    and not (row.is_target_ref_policy or row.kong_only)
    and row.name not in {GATEWAY_ROUTE, "VirtualOutbound"}
)
# What a policy of its type is asked for: the proxies that it is attached to.
ATTACHED: Final = (*TRAITS, *LEGACY)

NO_POLICY: Final = "Could not retrieve policy"  # the title of refusals
