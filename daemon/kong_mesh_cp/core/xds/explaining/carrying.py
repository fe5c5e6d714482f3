"""Which resources of Envoy carry what policies say: those that are others without it.

The configuration is made again without the policies of a type, or without one member of what they
say, by the generator itself; the rest of the mesh stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.policy.rules.entries import Contribution
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.policy import Conf, Entry, Policy
from kong_mesh_cp.core.policy.rules.said_members import Path, SaidMember
from kong_mesh_cp.core.xds.explaining.narrowing import narrowed
from kong_mesh_cp.core.xds.generate import Generated, generate
from kong_mesh_cp.core.xds.names import CLUSTER, ENDPOINT, LISTENER, SECRET
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.targets import targets_of

MEMBERS_TRIED_MAX: Final = 64  # of one proxy; each makes its configuration once more,
OUTBOUNDS_TRIED_MAX: Final = 1000  # and all of its outbounds
POLICIES_TRIED_MAX: Final = 2000  # of a mesh; with more, members are not tried one by one


class ResourceName(NamedTuple):
    """A resource of Envoy."""

    type_url: str
    name: str


Names = frozenset[ResourceName]

_SHORT: Final = {
    LISTENER: "listener",
    CLUSTER: "cluster",
    ENDPOINT: "endpoints",
    SECRET: "secret",
}


def short_type(type_url: str) -> str:
    """What people call it."""
    return _SHORT.get(type_url, type_url)


class Carrying:
    """Of one proxy."""

    def __init__(self, view: ProxyView, targets: Sequence[OutboundTarget], parts: Parts) -> None:
        """Nothing is asked about other outbounds of it than `targets`. `parts` are of the mesh of
        `view`, and grow with what is tried.
        """
        self.made: Generated = generate(view, parts)
        self._view = narrowed(view, targets, parts)
        self._parts = parts
        self._as_it_is = self.made if self._view is view else generate(self._view, parts)
        outbounds = len(targets_of(self._view, parts))
        self._left = min(MEMBERS_TRIED_MAX, OUTBOUNDS_TRIED_MAX // max(outbounds, 1))
        self._known: dict[object, Names] = {}

    def of_type(self, policy_type: str) -> Names:
        """All that is other without the policies of a type."""
        policies = self._view.world.policies.policies
        return self._without([each for each in policies if each.meta.type != policy_type])

    def of_older_type(self, type_name: str) -> Names:
        """Likewise, of the older generation."""
        if type_name not in self._known:
            world = self._view.world
            others = {key: each for key, each in world.resources.items() if key != type_name}
            other = replace(self._view, world=replace(world, resources=others))
            made = generate(other, self._parts)
            self._known[type_name] = changed(self._as_it_is.snapshot, made.snapshot)
        return self._known[type_name]

    def of_member(self, member: SaidMember, list_name: Callable[[Policy], str]) -> Names | None:
        """All that is other if nobody had said `member`. None: it is not known.

        Members of lists are not taken away one by one: what follows them would move.
        """
        if any(isinstance(part, int) for part in member.path):
            return None
        entries = (member.by, *(each.by for each in member.lost))
        # The policies are those of the view, which holds them.
        places = ((list_name(each.policy), id(each.policy), each.index) for each in entries)
        key = (member.path, *places)
        known = self._known.get(key)
        if known is not None:
            return known
        policies = self._view.world.policies.policies
        if not self._left or len(policies) > POLICIES_TRIED_MAX:
            return None
        self._left -= 1
        silent: dict[int, Policy] = {}
        for entry in entries:
            policy = silent.get(id(entry.policy), entry.policy)
            list_of = list_name(entry.policy)
            silent[id(entry.policy)] = _silenced(policy, list_of, entry, member.path)
        found = self._without([silent.get(id(each), each) for each in policies])
        self._known[key] = found
        return found

    def _without(self, policies: Collection[Policy]) -> Names:
        world = self._view.world
        before = world.policies
        view = MeshView(tuple(policies), before.gateways, before.destinations)
        other = replace(self._view, world=replace(world, policies=view))
        return changed(self._as_it_is.snapshot, generate(other, self._parts).snapshot)


def changed(before: Snapshot, after: Snapshot) -> Names:
    """The resources that one of both has alone, or that are others."""
    found: set[ResourceName] = set()
    for url in before.by_type.keys() | after.by_type.keys():
        old, new = before.of_type(url).resources, after.of_type(url).resources
        found |= {
            ResourceName(url, name)
            for name in old.keys() | new.keys()
            if name not in old or name not in new or old[name].version != new[name].version
        }
    return frozenset(found)


def _silenced(policy: Policy, list_name: str, entry: Contribution, path: Path) -> Policy:
    """`policy` without the member at `path` of one of its entries."""
    index = entry.index
    match list_name:
        case "to":
            return replace(policy, to=_without_member(policy.to, index, path))
        case "from":
            return replace(policy, sources=_without_member(policy.sources, index, path))
        case "rules":
            rules = list(policy.rules)
            rules[index] = _pruned(rules[index], path)
            return replace(policy, rules=tuple(rules))
        case _:
            return replace(policy, proxy_conf=_pruned(policy.proxy_conf or {}, path))


def _without_member(entries: tuple[Entry, ...], index: int, path: Path) -> tuple[Entry, ...]:
    entry = entries[index]
    pruned = replace(entry, conf=_pruned(entry.conf, path))
    return (*entries[:index], pruned, *entries[index + 1 :])


def _pruned(conf: Conf, path: Path) -> Conf:
    first, *rest = path
    inner = conf.get(str(first))
    if rest and isinstance(inner, Mapping):
        return {**conf, str(first): _pruned(inner, tuple(rest))}
    return {member: value for member, value in conf.items() if member != first}
