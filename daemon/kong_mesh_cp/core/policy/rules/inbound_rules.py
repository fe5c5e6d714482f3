"""What holds for all traffic of one inbound: `rules`, and `from` read as rules.

Source: docs/wire/policies.md#inbound-rules
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.entries import Contribution, inbound_entries, merged
from kong_mesh_cp.core.policy.rules.origins import Origin, origins_by_entry
from kong_mesh_cp.core.policy.rules.policy import Conf, Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_entries


@dataclass(frozen=True, slots=True)
class InboundRule:
    """All `entries` merged, which are in ascending priority: `confs` holds one conf."""

    confs: tuple[Conf, ...]
    origins: tuple[Origin, ...]
    entries: tuple[Contribution, ...] = field(default=(), repr=False, compare=False)


def inbound_rules(policies: Iterable[Policy]) -> tuple[InboundRule, ...]:
    """One rule, or none if `policies` (of one type, in any order) say nothing about inbounds."""
    entries = sorted_entries(inbound_entries(policies))
    if not entries:
        return ()
    return (InboundRule(merged(entries), origins_by_entry(entries), tuple(entries)),)
