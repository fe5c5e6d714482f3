"""`to` entries of policies about a MeshHTTPRoute: they hold for its rules, not for services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kong_mesh_cp.core.policy.rules.entries import Contribution, to_entries
from kong_mesh_cp.core.policy.rules.http_matches import RULE_MATCHES_HASH_TAG, matches_hash
from kong_mesh_cp.core.policy.rules.match import find_route
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, Conf, Policy
from kong_mesh_cp.core.policy.target_ref import TargetRef


def service_entries(policies: Iterable[Policy], routes: Iterable[Policy]) -> Iterator[Contribution]:
    """The `to` entries of `policies`, those about a route once for each of its rules.

    A rule of a route is a tag beside the service's, whose value is the hash of its matches.
    Raises: UnresolvedTargetError.

    Source: docs/wire/policies.md#routes-as-targets
    """
    known = tuple(routes)
    for policy in policies:
        if policy.target.kind == HTTP_ROUTE:
            yield from _entries_for_rules(policy, find_route(policy, known))
        else:
            yield from to_entries([policy])


def _entries_for_rules(policy: Policy, route: Policy) -> Iterator[Contribution]:
    for about in route.to:
        for matches in rule_matches(about.conf):
            target = _target_for_rule(about.target, matches_hash(matches))
            for contribution in to_entries([policy]):
                yield replace(contribution, target=target)


def rule_matches(conf: Conf) -> Iterator[object]:
    """The matches of every rule in the conf of an HTTP route; None where a rule has none."""
    rules = conf.get("rules")
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, Mapping):
            yield rule.get("matches")


def _target_for_rule(about: TargetRef, rule_hash: str) -> TargetRef:
    tags = {RULE_MATCHES_HASH_TAG: rule_hash}
    if about.kind in ("Mesh", "MeshSubset"):
        return TargetRef(kind="MeshSubset", tags=tags)
    return TargetRef(kind="MeshServiceSubset", name=about.name, tags=tags)
