"""Which confs of policies hold at an egress, for a service of a mesh.

Source: docs/wire/policies.md#zone-egress
"""

from __future__ import annotations

from collections.abc import Iterable

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.egress import egress_rules
from kong_mesh_cp.core.policy.rules.policy import Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_policies
from kong_mesh_cp.core.policy.rules.resource_rules import (
    ResourceRules,
    resource_rules,
    rule_for_destination,
)
from kong_mesh_cp.core.policy.rules.subset_rules import rule_for
from kong_mesh_cp.core.policy.typed_confs import ClientConf, InboundConfs, TypedConf
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.load_balancing_effects import BALANCING
from kong_mesh_cp.core.xds.world import MeshWorld


class EgressConfs:
    """Of one mesh. All methods raise: UnreadableConfError, TooManySubsetsError."""

    def __init__(self, world: MeshWorld, parts: Parts) -> None:
        self._world = world
        self._parts = parts

    def for_clients(self, service: str, effects: Iterable[Effect]) -> tuple[InboundConfs, ...]:
        """By the clients of a service by its tag."""
        return tuple(self._clients(each.policy_type, service) for each in effects)

    def for_resource(
        self, wanted: DestinationId, effects: Iterable[Effect]
    ) -> tuple[TypedConf | None, ...]:
        """Of a service that is a resource, whoever calls it."""
        return tuple(self._resource(each.policy_type, wanted) for each in effects)

    def balancing(self, service: str) -> TypedConf | None:
        """Of a service by its tag. The egress has no conf for single clients: what a policy says
        to whole meshes counts.
        """
        policies = self._policies(BALANCING)
        if not policies:
            return None
        return self._clients(BALANCING, service).rules

    def _clients(self, policy_type: str, service: str) -> InboundConfs:
        policies = self._policies(policy_type)
        if not policies:
            return InboundConfs()

        def make() -> tuple[InboundConfs, object]:
            rules = egress_rules(policy_type, {SERVICE: service}, policies).clients
            everybody = rule_for(rules, {})
            found = InboundConfs(
                rules=None if everybody is None else TypedConf(policy_type, everybody.conf),
                clients=tuple(
                    ClientConf(each.subset, TypedConf(policy_type, each.conf)) for each in rules
                ),
                selected=True,  # of every policy of the mesh, whatever it is about
            )
            return found, policies

        key = ("at egress", policy_type, service, *map(id, policies))
        confs, _ = self._parts.made(key, make)
        return confs

    def _resource(self, policy_type: str, wanted: DestinationId) -> TypedConf | None:
        policies = self._policies(policy_type)
        if not policies:
            return None
        rule = rule_for_destination(self._rules(policy_type, policies), wanted)
        if rule is None or not rule.confs:
            return None
        return TypedConf(policy_type, rule.confs[0])

    def _rules(self, policy_type: str, policies: tuple[Policy, ...]) -> ResourceRules:
        destinations = self._world.policies.destinations
        key = ("rules at egress", policy_type, id(destinations), *map(id, policies))
        rules, _ = self._parts.made(
            key,
            lambda: (
                resource_rules(sorted_policies(policies), destinations),
                (destinations, policies),
            ),
        )
        return rules

    def _policies(self, policy_type: str) -> tuple[Policy, ...]:
        found = self._world.policies.of_type(policy_type)
        return tuple(each for each in found if not each.meta.is_shadow)
