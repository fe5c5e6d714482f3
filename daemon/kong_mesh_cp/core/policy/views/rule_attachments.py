"""The merged rules of one proxy by what they hold for, as the older `/rules` shows them.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kong_mesh_cp.core.policy.legacy.attachments import outbound_name
from kong_mesh_cp.core.policy.rules.matched import MatchedPolicies
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule, rule_for
from kong_mesh_cp.core.policy.rules.subsets import SERVICE_TAG, Tags
from kong_mesh_cp.core.resources.kinds.dataplane import Outbound

HASH_BYTES = 8  # of a cluster's name


class RuleAttachment(NamedTuple):
    """A rule and the part of a proxy that it is for, as the rules endpoint lists it."""

    type: str
    policy_type: str
    rule: SubsetRule
    name: str = ""
    addresses: tuple[str, ...] = ()
    service: str = ""
    tags: Tags = {}  # noqa: RUF012  never changed


def rule_attachments(
    proxy: Proxy, outbounds: Iterable[Outbound], matched: Iterable[MatchedPolicies]
) -> list[RuleAttachment]:
    """Those of the whole proxy first, the others by name. Outbounds are known by their service."""
    by_service = [each for each in outbounds if SERVICE_TAG in each.tags]
    found: list[RuleAttachment] = []
    for each in matched:
        found += _for_clients(proxy, each)
        found += _for_destinations(by_service, each)
        found += (RuleAttachment("SingleItem", each.type, rule) for rule in each.proxy_rules[:1])
    return sorted(found, key=lambda attachment: (attachment.name, attachment.type))


def cluster_name(tags: Tags) -> str:
    """The service alone, or with a hash of all its tags where it has more."""
    service = tags[SERVICE_TAG]
    if len(tags) == 1:
        return service
    # The name that Envoy's cluster has, so that an operator finds it in the proxy's statistics.
    text = "".join(f"{key}{tags[key]}" for key in sorted(tags))
    return f"{service}-{hashlib.sha256(text.encode()).digest()[:HASH_BYTES].hex()}"


def _for_clients(proxy: Proxy, matched: MatchedPolicies) -> Iterator[RuleAttachment]:
    tags_of = {inbound.listener: inbound.tags for inbound in proxy.inbounds}
    for listener in sorted(matched.from_rules):
        tags = tags_of.get(listener, {})
        # A listener of a gateway, or an inbound without a service: the older answer knows neither.
        if SERVICE_TAG not in tags:
            continue
        for rule in matched.from_rules[listener]:
            yield RuleAttachment(
                "ClientSubset",
                matched.type,
                rule,
                cluster_name(tags),
                (str(listener),),
                tags[SERVICE_TAG],
                tags,
            )


def _for_destinations(
    outbounds: Iterable[Outbound], matched: MatchedPolicies
) -> Iterator[RuleAttachment]:
    found: dict[str, RuleAttachment] = {}
    for outbound in outbounds:
        name = cluster_name(outbound.tags)
        rule = rule_for(matched.to_rules.services, outbound.tags)
        if rule is None:
            continue
        known = found.get(name) or RuleAttachment(
            "DestinationSubset",
            matched.type,
            rule,
            name,
            (),
            outbound.tags[SERVICE_TAG],
            outbound.tags,
        )
        addresses = dict.fromkeys([*known.addresses, outbound_name(outbound)])
        found[name] = known._replace(addresses=tuple(addresses))
    yield from found.values()
