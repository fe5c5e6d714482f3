"""Where a rule is from: the policies, or their entries, that had a part in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.entries import Contribution
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE, Meta


@dataclass(frozen=True, slots=True)
class Origin:
    """A policy that had a part in a rule; `index` is the entry's where entries are told apart."""

    meta: Meta
    index: int


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
