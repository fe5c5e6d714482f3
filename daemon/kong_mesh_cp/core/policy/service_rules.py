"""The rules about one service by its tags, and about the routes that lead to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kong_mesh_cp.core.policy.rules.http_matches import RULE_MATCHES_HASH_TAG
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.resource_rules import ResourceRule
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule, rule_for
from kong_mesh_cp.core.policy.rules.subsets import Tags


class ServiceRules(NamedTuple):
    """The rule about a service, and those about routes to it, by the hash of their matches."""

    about: SubsetRule | None
    routes: Mapping[str, SubsetRule]


def rules_about(rules: Sequence[SubsetRule], tags: Tags) -> ServiceRules:
    """Those among `rules` about what carries `tags`."""
    about = rule_for(rules, tags)
    routes: dict[str, SubsetRule] = {}
    for matches_hash in _route_hashes(rules):
        rule = rule_for(rules, {**tags, RULE_MATCHES_HASH_TAG: matches_hash})
        if rule is not None and rule is not about:
            routes[matches_hash] = rule
    return ServiceRules(about, routes)


def backend_origins(rule: SubsetRule | ResourceRule) -> Mapping[str, Meta]:
    """The policies that the references of its conf are from, by the hash of a rule's matches."""
    return {key: rule.origins[index].meta for key, index in rule.backend_origins}


def _route_hashes(rules: Sequence[SubsetRule]) -> list[str]:
    found = (
        tag.value
        for rule in rules
        for tag in rule.subset
        if tag.key == RULE_MATCHES_HASH_TAG and not tag.negated
    )
    return list(dict.fromkeys(found))
