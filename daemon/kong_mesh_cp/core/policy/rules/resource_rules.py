"""Rules by resource: what holds for traffic to one MeshService, its port, a Mesh …

Source: docs/wire/policies.md#resource-rules
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.destinations import (
    MESH,
    WITH_SECTIONS,
    DestinationId,
    Destinations,
    Section,
)
from kong_mesh_cp.core.policy.rules.entries import Contribution, merged, to_entries
from kong_mesh_cp.core.policy.rules.origins import Origin, backend_ref_entries, origins_by_entry
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, Conf, Meta, Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_entries


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """`confs` for `resource`, or its port `section_name`; HTTP routes have one a hostname.

    `entries` are what they were merged from, in ascending priority.
    """

    resource: Meta
    section_name: str
    confs: tuple[Conf, ...]
    origins: tuple[Origin, ...]
    backend_origins: tuple[tuple[str, int], ...] = ()
    entries: tuple[Contribution, ...] = field(default=(), repr=False, compare=False)


ResourceRules = Mapping[DestinationId, ResourceRule]


def resource_rules(policies: Iterable[Policy], destinations: Destinations) -> ResourceRules:
    """Merge the `to` lists of `policies`, which are of one type and in ascending priority.

    Only resources that an entry means get a rule of their own; `rule_for_destination` finds the
    rule of the others. A policy about a route does not speak of destinations
    (docs/wire/policies.md#routes-as-targets).
    """
    # Those about a route are in the rules by service, under the hash of the route's matches.
    about_traffic = [policy for policy in policies if policy.target.kind != HTTP_ROUTE]
    meant = [
        (contribution, section)
        for contribution in sorted_entries(to_entries(about_traffic))
        for section in destinations.meant_by(contribution.target, contribution.policy.meta)
    ]
    # One rule for each section that some entry means, even where two entries mean it by other
    # words.
    sections = {section.id: section for _, section in meant}
    return {
        key: _rule(section, [entry for entry, about in meant if about.covers(section)])
        for key, section in sections.items()
    }


def rule_for_destination(rules: ResourceRules, wanted: DestinationId) -> ResourceRule | None:
    """The rule for a port: its own, else its service's, else its mesh's."""
    # The port of what has no sections is not looked for further than it is given.
    whole = wanted._replace(section_name="") if wanted.type in WITH_SECTIONS else wanted
    mesh = DestinationId(MESH, "", "", "", wanted.mesh)
    # The nearest rule holds alone: it has the entries of the wider ones merged in already.
    return rules.get(wanted) or rules.get(whole) or rules.get(mesh)


def _rule(section: Section, entries: list[Contribution]) -> ResourceRule:
    return ResourceRule(
        resource=section.destination.meta,
        section_name=section.name,
        confs=merged(entries),
        origins=origins_by_entry(entries),
        backend_origins=tuple(sorted(backend_ref_entries(entries).items())),
        entries=tuple(entries),
    )
