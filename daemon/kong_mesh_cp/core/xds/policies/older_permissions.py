"""What TrafficPermissions, of the older generation, say about one proxy.

Source: docs/wire/mtls.md#permissions
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.legacy.selectors import (
    LegacyPolicy,
    legacy_policies,
    policy_for_inbound,
)
from kong_mesh_cp.core.policy.rules.subsets import Subset, Tag
from kong_mesh_cp.core.resources.kinds.dataplane import Networking
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.world import MeshWorld

POLICY_TYPE: Final = "TrafficPermission"


@dataclass(frozen=True, slots=True)
class OlderPermission:
    """Who may enter by one inbound; without a policy nobody may."""

    policy: str = ""  # its name
    clients: tuple[Subset, ...] = ()


def older_permissions(
    networking: Networking, world: MeshWorld, parts: Parts
) -> tuple[OlderPermission, ...]:
    """One for each inbound; none at all where no policy is about any of them."""
    policies = _policies_of(world, parts)
    found = [policy_for_inbound(policies, each.tags) for each in networking.inbound]
    if not any(found):
        return ()
    return tuple(map(_permission, found))


def permission_at_egress(
    services: Iterable[Tags], world: MeshWorld, parts: Parts
) -> OlderPermission | None:
    """Who may call a service outside of the mesh by the egress; None: no policy is about it.
    `services` are the tags of all ExternalServices of its name, the last one that one is about
    counts: the egress does not tell them apart.
    """
    policies = _policies_of(world, parts)
    found = [policy_for_inbound(policies, each) for each in services]
    counts = next((each for each in reversed(found) if each is not None), None)
    return None if counts is None else _permission(counts)


def _policies_of(world: MeshWorld, parts: Parts) -> tuple[LegacyPolicy, ...]:
    resources = world.of_type(POLICY_TYPE)
    if not resources:
        return ()
    key = ("older permissions", id(resources))
    policies, _ = parts.made(key, lambda: (legacy_policies(resources), resources))
    return policies


def _permission(policy: LegacyPolicy | None) -> OlderPermission:
    if policy is None:
        return OlderPermission()
    return OlderPermission(policy.name, tuple(map(_clients, policy.sources)))


def _clients(source: Tags) -> Subset:
    """By name, the service last: the original has it so."""
    tags = [Tag(tag, value) for tag, value in sorted(source.items()) if value != "*"]
    return tuple(sorted(tags, key=lambda tag: tag.key == SERVICE))
