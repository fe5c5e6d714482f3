"""Rules by tags: what holds for which clients (`from`) or which services (`to`, before resources).

The first rule that a client belongs to is the one that counts for it; the more tags a rule asks
for, the earlier it stands.

Source: docs/wire/policies.md#rules-by-tags
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.entries import Contribution, from_entries, merged, proxy_entries
from kong_mesh_cp.core.policy.rules.origins import Origin, backend_ref_policies, origins_by_policy
from kong_mesh_cp.core.policy.rules.policy import Conf, Policy
from kong_mesh_cp.core.policy.rules.subsets import (
    Subset,
    Tags,
    contains,
    positive,
    positives,
    split,
)
from kong_mesh_cp.core.policy.target_ref import tags_of


@dataclass(frozen=True, slots=True)
class SubsetRule:
    """`conf` for those in `subset`; `backend_origins` are indices into `origins`.

    `entries` are what it was merged from, in ascending priority.
    """

    subset: Subset
    conf: Conf
    origins: tuple[Origin, ...]
    backend_origins: tuple[tuple[str, int], ...] = ()
    entries: tuple[Contribution, ...] = field(default=(), repr=False, compare=False)


def from_rules(policies: Iterable[Policy]) -> tuple[SubsetRule, ...]:
    """Merge the `from` lists of `policies`, which are of one type and in ascending priority.

    Raises: TooManySubsetsError.
    """
    return negated_rules(list(from_entries(policies)))


def service_rules(contributions: Sequence[Contribution]) -> tuple[SubsetRule, ...]:
    """Merge the entries of `to` lists by the services they name.

    A service is one value of one tag, so that no negation is needed: it either is named, or the
    rule for the mesh holds. Only entries for rules of a route bring a second tag.

    Raises: TooManySubsetsError.
    """
    known = _with_tags(contributions)
    if len({key for _, tags in known for key in tags}) > 1:
        return negated_rules(contributions)
    # In the order of the entries, which the sort below keeps among equals.
    subsets = dict.fromkeys(positive(tags) for _, tags in known)
    return _most_specific_first(_rules(subsets, known))


def negated_rules(contributions: Sequence[Contribution]) -> tuple[SubsetRule, ...]:
    """One rule for every way in which the entries overlap. Raises: TooManySubsetsError."""
    known = _with_tags(contributions)
    return _most_specific_first(_rules(split([tags for _, tags in known]), known))


def proxy_rules(policies: Iterable[Policy]) -> tuple[SubsetRule, ...]:
    """The one rule of types with one conf for the whole proxy; none without a policy."""
    return service_rules(list(proxy_entries(policies)))


def rule_for(rules: Iterable[SubsetRule], tags: Tags) -> SubsetRule | None:
    """The rule for a client, or service, that carries `tags`."""
    return next((rule for rule in rules if contains(rule.subset, tags)), None)


_Known = Sequence[tuple[Contribution, Tags]]


def _with_tags(contributions: Iterable[Contribution]) -> list[tuple[Contribution, Tags]]:
    # Kinds that name a resource instead of tags have rules of their own (resource_rules).
    return [
        (contribution, tags)
        for contribution in contributions
        if (tags := tags_of(contribution.target)) is not None
    ]


def _rules(subsets: Iterable[Subset], known: _Known) -> Iterator[SubsetRule]:
    # Many subsets differ only in tags that no entry for them asks for: merge once for all.
    merges: dict[tuple[int, ...], list[SubsetRule]] = {}
    # Long lists are found by one of their tags, not by asking every entry for every subset.
    by_tag: dict[tuple[str, str] | None, list[int]] = {}
    for index, (_, tags) in enumerate(known):
        by_tag.setdefault(min(tags.items(), default=None), []).append(index)
    for subset in subsets:
        carried = positives(subset).items()
        relevant = tuple(
            sorted(
                index
                for tag in (None, *carried)
                for index in by_tag.get(tag, ())
                if known[index][1].items() <= carried
            )
        )
        if relevant not in merges:
            merges[relevant] = _merged_rules([known[index][0] for index in relevant])
        for rule in merges[relevant]:
            yield SubsetRule(subset, rule.conf, rule.origins, rule.backend_origins, rule.entries)


def _merged_rules(contributions: Sequence[Contribution]) -> list[SubsetRule]:
    origins = origins_by_policy(contributions)
    backends = tuple(sorted(backend_ref_policies(contributions).items()))
    entries = tuple(contributions)
    return [SubsetRule((), conf, origins, backends, entries) for conf in merged(contributions)]


def _most_specific_first(rules: Iterable[SubsetRule]) -> tuple[SubsetRule, ...]:
    # Stable, so that equally specific rules stay as the cliques gave them; `_rules` shows the
    # order.
    return tuple(sorted(rules, key=lambda rule: len(positives(rule.subset)), reverse=True))
