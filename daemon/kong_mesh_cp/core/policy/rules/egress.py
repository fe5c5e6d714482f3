"""What a zone egress does for one ExternalService, by the clients that call it.

Source: docs/wire/policies.md#zone-egress
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.entries import Contribution, to_entries
from kong_mesh_cp.core.policy.rules.inbound_rules import InboundRule, inbound_rules
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_policies
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule, from_rules, negated_rules
from kong_mesh_cp.core.policy.rules.subsets import Tags, selects
from kong_mesh_cp.core.policy.target_ref import TargetRef, tags_of


@dataclass(frozen=True, slots=True)
class EgressRules:
    """The rules of a zone egress for one external service."""

    clients: tuple[SubsetRule, ...] = ()
    inbound: tuple[InboundRule, ...] | None = None  # None: the type knows no inbounds


def egress_rules(
    policy_type: str, service_tags: Mapping[str, str], policies: Iterable[Policy]
) -> EgressRules:
    """Rules for the clients of the ExternalService that carries `service_tags`.

    Types with a `from` list are asked what they say about the service's clients. Those with
    only a `to` list are turned round: the egress serves the clients that the policy selects, and
    the entry names the service. Raises: TooManySubsetsError.
    """
    candidates = sorted_policies(policy for policy in policies if policy.meta.type == policy_type)
    if not candidates:
        return EgressRules()
    if TRAITS[policy_type].has_from:
        matched = [policy for policy in candidates if _selected(policy.target, service_tags)]
        return EgressRules(from_rules(matched), inbound_rules(matched))
    turned = [
        Contribution(entry.policy, entry.policy.target, entry.conf, entry.index)
        for entry in to_entries(candidates)
        if _selected(entry.target, service_tags)
    ]
    return EgressRules(negated_rules(turned))


def _selected(target: TargetRef, service_tags: Tags) -> bool:
    tags = tags_of(target)
    return tags is not None and selects(tags, service_tags)
