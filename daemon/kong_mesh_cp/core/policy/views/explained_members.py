"""The members of a merged conf in words: who said each, who lost, and why.

Source: docs/wire/inspection.md#why-a-proxy-is-configured-as-it-is
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.entries import Contribution
from kong_mesh_cp.core.policy.rules.policy import Policy
from kong_mesh_cp.core.policy.rules.priority import Criterion, decided_by
from kong_mesh_cp.core.policy.rules.said_members import Lost, SaidConf, SaidMember, shown_path
from kong_mesh_cp.core.policy.target_ref import TargetRef

JsonObject = dict[str, object]

BY_POLICY: Final = "policy"  # what stands as the source of a member
BY_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKind:
    """A list whose entries were merged. `by_entry`: their own targets count in the order, too."""

    name: Callable[[Policy], str]
    by_entry: bool
    has_targets: bool = True


TO_SERVICES: Final = ListKind(name=lambda _: "to", by_entry=False)
TO_RESOURCES: Final = ListKind(name=lambda _: "to", by_entry=True)
FROM: Final = ListKind(name=lambda _: "from", by_entry=False)
RULES: Final = ListKind(
    name=lambda policy: "rules" if policy.rules else "from", by_entry=True, has_targets=False
)
DEFAULT: Final = ListKind(name=lambda _: "default", by_entry=False, has_targets=False)


def explained_conf(said: SaidConf, of: ListKind) -> JsonObject:
    """`settings`, and `takenAway` where something was."""
    shown: JsonObject = {"settings": [_member(each, of) for each in said.members]}
    if said.taken_away:
        shown["takenAway"] = [_lost(each, of) for each in said.taken_away]
    return shown


def default_setting(member: str, value: object) -> JsonObject:
    """A member that no policy says anything of."""
    return {"member": member, "source": BY_DEFAULT, "value": value}


def _member(member: SaidMember, of: ListKind) -> JsonObject:
    shown: JsonObject = {
        "from": _source(member.by, of),
        "member": shown_path(member.path),
        "source": BY_POLICY,
        "value": member.value,
    }
    if member.lost:
        # The one that came closest stands first.
        shown["lost"] = [_lost(each, of) for each in reversed(member.lost)]
    return shown


def _source(entry: Contribution, of: ListKind) -> JsonObject:
    """Which entry of which policy."""
    policy, meta = entry.policy, entry.policy.meta
    shown: JsonObject = {
        "index": entry.index,
        "list": of.name(policy),
        "mesh": meta.mesh,
        "name": meta.name,
        "role": meta.role,
        "targetRef": _target(policy.target),
        "type": meta.type,
    }
    if of.has_targets:
        shown["entryTargetRef"] = _target(entry.target)
    if meta.display_name != meta.name:
        shown["displayName"] = meta.display_name
    if meta.origin:
        shown["origin"] = meta.origin
    if meta.zone:
        shown["zone"] = meta.zone
    return shown


def _target(target: TargetRef) -> JsonObject:
    """As a policy would have it, without what says nothing."""
    members: JsonObject = {
        "kind": target.kind,
        "labels": dict(target.labels),
        "mesh": target.mesh,
        "name": target.name,
        "namespace": target.namespace,
        "proxyTypes": list(target.proxy_types or ()),
        "sectionName": target.section_name,
        "tags": dict(target.tags),
    }
    return {member: value for member, value in members.items() if value}


def _lost(lost: Lost, of: ListKind) -> JsonObject:
    criterion = decided_by(lost.by, lost.to, by_entry=of.by_entry)
    text = _REASONS[criterion](lost.by, lost.to, of.name(lost.to.policy))
    if isinstance(lost.value, list):
        text += "; a list is replaced as a whole"
    return {
        "from": _source(lost.by, of),
        "reason": criterion.name.lower().replace("_", "-"),
        "to": _source(lost.to, of),
        "value": lost.value,
        "why": text,
    }


_NAMED: Final = ("all Dataplanes", "Dataplanes by labels", "a Dataplane by name")
_ORIGINS: Final = {
    "": "without the label kuma.io/origin",
    "global": "of the global control plane",
    "zone": "of the zone",
}


def _named(target: TargetRef) -> str:
    return _NAMED[2 if target.name else 1 if target.labels else 0]


def _origin(entry: Contribution) -> str:
    origin = entry.policy.meta.origin
    return _ORIGINS.get(origin, f"of {origin}")


def _again(loser: Contribution, winner: Contribution, list_name: str) -> str:
    if loser.index == winner.index:
        return "the same entry says it again"
    return f"the same policy says it again in {list_name}[{winner.index}]"


_REASONS: Final[dict[Criterion, Callable[[Contribution, Contribution, str], str]]] = {
    Criterion.TARGET_KIND: lambda loser, winner, _: (
        f"less specific targetRef: {loser.policy.target.kind}, against {winner.policy.target.kind}"
    ),
    Criterion.TARGET_NAMED: lambda loser, winner, _: (
        f"less specific targetRef: {_named(loser.policy.target)},"
        f" against {_named(winner.policy.target)}"
    ),
    Criterion.TARGET_SECTION: lambda *_: (
        "less specific targetRef: all inbounds, against one (sectionName)"
    ),
    Criterion.ORIGIN: lambda loser, winner, _: (
        f"origin: a policy {_origin(loser)}, against one {_origin(winner)}"
    ),
    Criterion.LISTENER_TAGS: lambda loser, winner, _: (
        f"less specific targetRef: {len(loser.policy.target.tags)} tags of listeners,"
        f" against {len(winner.policy.target.tags)}"
    ),
    Criterion.ROLE: lambda loser, winner, _: (
        f"role: {loser.policy.meta.role}, against {winner.policy.meta.role}"
    ),
    Criterion.ENTRY_KIND: lambda loser, winner, list_name: (
        f"less specific {list_name}: {loser.target.kind}, against {winner.target.kind}"
    ),
    Criterion.ENTRY_SECTION: lambda _loser, _winner, list_name: (
        f"less specific {list_name}: all ports, against one (sectionName)"
    ),
    Criterion.NAME: lambda loser, winner, _: (
        "equal rank, and of names the first in the alphabet counts:"
        f" {winner.policy.meta.display_name} before {loser.policy.meta.display_name}"
    ),
    Criterion.INDEX: _again,
    Criterion.LISTED: lambda *_: "equal rank and name, and the store lists the other one later",
}
