"""What single entries of policies contribute to a rule, and how a rule tells where it is from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.merge import merge_confs, merge_keyed_confs
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE, Conf, Meta, Policy
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef


@dataclass(frozen=True, slots=True)
class Contribution:
    """One entry of a policy together with the policy; `index` is its place in the list."""

    policy: Policy
    target: TargetRef
    conf: Conf
    # It is visible as `ruleIndex`, by which the GUI finds the entry in the policy.
    index: int


@dataclass(frozen=True, slots=True)
class Origin:
    """A policy that had a part in a rule; `index` is the entry's where entries are told apart."""

    meta: Meta
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
    """`rules`, or else `from` where the type reads it as rules: both say the same (8.3)."""
    for policy in policies:
        # `rules` win where a policy has both, which a write refuses but a global control plane may
        # send.
        confs = policy.rules
        if not confs and policy.traits.from_as_rules:
            confs = tuple(entry.conf for entry in policy.sources)
        for index, conf in enumerate(confs):
            # Neither list can say whom it is about: an inbound has one conf for all clients.
            yield Contribution(policy, WHOLE_MESH, conf, index)


def proxy_entries(policies: Iterable[Policy]) -> Iterator[Contribution]:
    for policy in policies:
        if policy.proxy_conf is not None:
            yield Contribution(policy, WHOLE_MESH, policy.proxy_conf, 0)


def merged(contributions: Sequence[Contribution]) -> tuple[Conf, ...]:
    """One conf, or for HTTP routes one a hostname; the last contribution has the last word."""
    confs = [contribution.conf for contribution in contributions]
    # All are of one type, so the first one speaks for the rest.
    if contributions and contributions[0].policy.traits.keyed_rules:
        return merge_keyed_confs(confs)
    return (merge_confs(confs),) if confs else ()


def origins_by_policy(contributions: Iterable[Contribution]) -> tuple[Origin, ...]:
    """Each policy once, in the order in which they were merged."""
    return tuple(
        Origin(contribution.policy.meta, contribution.index)
        for contribution in _first_of_each_policy(contributions)
    )


def origins_by_entry(contributions: Iterable[Contribution]) -> tuple[Origin, ...]:
    """Each entry once, in the order in which they were merged."""
    return tuple(
        Origin(contribution.policy.meta, contribution.index)
        for contribution in _first_of_each_entry(contributions)
    )


def backend_ref_policies(contributions: Iterable[Contribution]) -> Mapping[str, int]:
    """Where the backends of a route come from: an index into `origins_by_policy`.

    References to backends are read as their policy means them. The key is the hash of the
    matches of an HTTP rule, "" for a TCP route.
    """
    return _backend_refs(_first_of_each_policy(contributions))


def backend_ref_entries(contributions: Iterable[Contribution]) -> Mapping[str, int]:
    """As `backend_ref_policies`, into `origins_by_entry`."""
    return _backend_refs(_first_of_each_entry(contributions))


def _first_of_each_policy(contributions: Iterable[Contribution]) -> Iterable[Contribution]:
    first: dict[tuple[str, str], Contribution] = {}
    for contribution in contributions:
        # Mesh and name are enough: all are of one type.
        meta = contribution.policy.meta
        first.setdefault((meta.mesh, meta.name), contribution)
    return first.values()


def _first_of_each_entry(contributions: Iterable[Contribution]) -> Iterable[Contribution]:
    first: dict[tuple[str, str, int], Contribution] = {}
    for contribution in contributions:
        meta = contribution.policy.meta
        first.setdefault((meta.mesh, meta.name, contribution.index), contribution)
    return first.values()


def _backend_refs(contributions: Iterable[Contribution]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for index, contribution in enumerate(contributions):
        for key in _keys_with_backend_refs(contribution):
            found[key] = index
    return found


def _keys_with_backend_refs(contribution: Contribution) -> Iterator[str]:
    conf, policy_type = contribution.conf, contribution.policy.meta.type
    # A TCP route has one rule without matches, so there is nothing to hash.
    if policy_type == TCP_ROUTE and _has_backend_refs(conf):
        yield ""
    if policy_type == HTTP_ROUTE:
        rules = conf.get("rules")
        for rule in rules if isinstance(rules, list) else []:
            if isinstance(rule, Mapping) and _has_backend_refs(rule):
                yield matches_hash(rule.get("matches"))


def _has_backend_refs(rule: Mapping[str, object]) -> bool:
    default = rule.get("default")
    return isinstance(default, Mapping) and default.get("backendRefs") is not None
