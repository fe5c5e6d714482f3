"""Entries of policies, one by one: what rules are merged from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.merge import merge_confs, merge_keyed_confs
from kong_mesh_cp.core.policy.rules.policy import Conf, Policy
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef


@dataclass(frozen=True, slots=True)
class Contribution:
    """One entry of a policy together with the policy; `index` is its place in the list."""

    policy: Policy
    target: TargetRef
    conf: Conf
    index: int


def to_entries(policies: Iterable[Policy]) -> Iterator[Contribution]:
    for policy in policies:
        for index, entry in enumerate(policy.to):
            yield Contribution(policy, entry.target, entry.conf, index)


def from_entries(policies: Iterable[Policy]) -> Iterator[Contribution]:
    for policy in policies:
        for index, entry in enumerate(policy.sources):
            yield Contribution(policy, entry.target, entry.conf, index)


def inbound_entries(policies: Iterable[Policy]) -> Iterator[Contribution]:
    """`rules`, or else `from` where the type reads it as rules: both say the same.

    Source: docs/wire/policies.md#inbound-rules
    """
    for policy in policies:
        confs = policy.rules
        if not confs and policy.traits.from_as_rules:
            confs = tuple(entry.conf for entry in policy.sources)
        for index, conf in enumerate(confs):
            yield Contribution(policy, WHOLE_MESH, conf, index)


def proxy_entries(policies: Iterable[Policy]) -> Iterator[Contribution]:
    for policy in policies:
        if policy.proxy_conf is not None:
            yield Contribution(policy, WHOLE_MESH, policy.proxy_conf, 0)


def merged(contributions: Sequence[Contribution]) -> tuple[Conf, ...]:
    """One conf, or for HTTP routes one a hostname; the last contribution has the last word."""
    confs = [contribution.conf for contribution in contributions]
    if contributions and contributions[0].policy.traits.keyed_rules:
        return merge_keyed_confs(confs)
    return (merge_confs(confs),) if confs else ()
