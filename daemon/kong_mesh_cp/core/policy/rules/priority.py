"""Which policy has the last word: the order in which confs are merged.

Every order here is ascending, so that what comes later overrides what came before. Sorting is
stable: policies that no rule tells apart stay as the store lists them.

Source: docs/wire/policies.md#order
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Final, TypeVar

from kong_mesh_cp.core.policy.rules.entries import Contribution
from kong_mesh_cp.core.policy.rules.policy import Meta, Policy
from kong_mesh_cp.core.policy.target_ref import TargetRef

T = TypeVar("T")

# By how closely a kind singles out what it configures (docs/wire/policies.md#order).
_KINDS: Final = {
    "Mesh": 1,
    "Dataplane": 2,
    "MeshSubset": 3,
    "MeshGateway": 4,
    "MeshService": 5,
    "MeshExternalService": 6,
    "MeshMultiZoneService": 7,
    "MeshServiceSubset": 8,
    "MeshHTTPRoute": 9,
}
# Who runs a zone knows better than who runs all of them.
_ORIGINS: Final = {"global": 1, "": 2, "zone": 3}
_ROLES: Final = {"system": 1, "producer": 2, "consumer": 3, "workload-owner": 4}


class Criterion(Enum):
    """By what one of two entries comes after the other, and so has the last word."""

    TARGET_KIND = auto()  # the kind of the policy's targetRef
    TARGET_NAMED = auto()  # how its Dataplanes are singled out: by name, by labels, not at all
    TARGET_SECTION = auto()  # whether it is about one inbound of them
    ORIGIN = auto()  # who made it: a zone or the global control plane
    LISTENER_TAGS = auto()  # how many tags of a gateway's listeners it asks for
    ROLE = auto()
    ENTRY_KIND = auto()  # the kind of the entry's own targetRef
    ENTRY_SECTION = auto()  # whether that is about one port
    NAME = auto()  # the first in the alphabet has the last word
    INDEX = auto()  # the later entry of one policy
    LISTED = auto()  # as the store lists them


# What the ranks below are made of, in their order.
_OF_POLICIES: Final = (
    Criterion.TARGET_KIND,
    Criterion.TARGET_NAMED,
    Criterion.TARGET_SECTION,
    Criterion.ORIGIN,
    Criterion.LISTENER_TAGS,
    Criterion.ROLE,
)
_OF_ENTRIES: Final = (
    Criterion.TARGET_KIND,
    Criterion.TARGET_NAMED,
    Criterion.TARGET_SECTION,
    Criterion.ORIGIN,
    Criterion.ROLE,
    Criterion.ENTRY_KIND,
    Criterion.ENTRY_SECTION,
)


# Two stable sorts instead of one key, because the names go the other way round.
def sorted_policies(policies: Iterable[Policy]) -> list[Policy]:
    """By top-level target, origin, role and, for equal ranks, display name from z to a."""
    return sorted_by_policy(policies, lambda policy: policy)


def sorted_by_policy(items: Iterable[T], policy_of: Callable[[T], Policy]) -> list[T]:
    """`items` in the order that `sorted_policies` gives their policies."""
    by_name = sorted(items, key=lambda item: policy_of(item).meta.display_name, reverse=True)
    return sorted(by_name, key=lambda item: _policy_rank(policy_of(item)))


def sorted_entries(contributions: Iterable[Contribution]) -> list[Contribution]:
    """As `sorted_policies`, but the target of the entry counts before the display name."""
    by_name = sorted(contributions, key=_display_name, reverse=True)
    return sorted(by_name, key=_contribution_rank)


def decided_by(lower: Contribution, higher: Contribution, *, by_entry: bool) -> Criterion:
    """Why `higher` came after `lower` in the order of `sorted_entries` (`by_entry`), or of
    `sorted_policies`.
    """
    criteria: tuple[Criterion, ...] = _OF_ENTRIES if by_entry else _OF_POLICIES
    below, above = (
        _contribution_rank(each) if by_entry else _policy_rank(each.policy)
        for each in (lower, higher)
    )
    for criterion, less, more in zip(criteria, below, above, strict=True):
        if less != more:
            return criterion
    if _display_name(lower) != _display_name(higher):
        return Criterion.NAME
    is_same = (lower.policy.meta.mesh, lower.policy.meta.name) == (
        higher.policy.meta.mesh,
        higher.policy.meta.name,
    )
    return Criterion.INDEX if is_same else Criterion.LISTED


def _display_name(contribution: Contribution) -> str:
    return contribution.policy.meta.display_name


def _rank(target: TargetRef, meta: Meta) -> tuple[int, ...]:
    return (
        _KINDS.get(target.kind, 0),
        *_dataplane_rank(target),
        _ORIGINS.get(meta.origin, 0),
        _ROLES.get(meta.role, 0),
    )


def _policy_rank(policy: Policy) -> tuple[int, ...]:
    kind, narrowness, sectioned, origin, role = _rank(policy.target, policy.meta)
    # The more tags, the fewer listeners of a gateway are meant.
    listener_tags = len(policy.target.tags) if policy.target.kind == "MeshGateway" else 0
    # Tags of a gateway's listeners count between origin and role, in this order in Kuma.
    return kind, narrowness, sectioned, origin, listener_tags, role


def _contribution_rank(contribution: Contribution) -> tuple[int, ...]:
    policy = contribution.policy
    return *_rank(policy.target, policy.meta), *_entry_rank(contribution.target)


def _dataplane_rank(target: TargetRef) -> tuple[int, int]:
    if target.kind != "Dataplane":
        return 0, 0
    narrowness = 2 if target.name else 1 if target.labels else 0
    return narrowness, int(bool(target.section_name))


def _entry_rank(target: TargetRef) -> tuple[int, int]:
    # Sections of MeshMultiZoneServices do not count: Kuma ranks them by kind alone.
    sectioned = target.kind == "MeshService" and bool(target.section_name)
    return _KINDS.get(target.kind, 0), int(sectioned)
