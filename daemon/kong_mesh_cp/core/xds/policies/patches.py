"""Changes of Envoy's resources themselves, as users write them, in their order.

A change that cannot be made is told, and what it would change stays as it is.

Source: docs/wire/envoy-patches.md#modifications
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.formats.json_patch import Step
from kong_mesh_cp.core.policy.rules.subsets import selects
from kong_mesh_cp.core.xds.draft import Complaint, Draft
from kong_mesh_cp.core.xds.envoy.endpoints import load_assignment
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    Cluster,
    HttpConnectionManager,
    Message,
    packed,
    unpacked,
)
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_MANAGER, TAGS_METADATA
from kong_mesh_cp.core.xds.envoy.merging import apply_steps, apply_steps_any, merge, merge_any
from kong_mesh_cp.core.xds.envoy.native_resources import native
from kong_mesh_cp.core.xds.names import CLUSTER, ENDPOINT, LISTENER
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError
from kong_mesh_cp.core.xds.world import TagPairs


class Part(StrEnum):
    """What is changed, as the member of a modification is called."""

    CLUSTER = "cluster"
    LISTENER = "listener"
    NETWORK_FILTER = "networkFilter"
    HTTP_FILTER = "httpFilter"
    VIRTUAL_HOST = "virtualHost"


class Operation(StrEnum):
    """What is done, as the older generation writes it."""

    ADD = "add"
    REMOVE = "remove"
    PATCH = "patch"
    ADD_FIRST = "addFirst"
    ADD_LAST = "addLast"
    ADD_BEFORE = "addBefore"
    ADD_AFTER = "addAfter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which ones it is about; None, and no tags: whichever."""

    name: str | None = None
    origin: str | None = None
    listener: str | None = None
    route_configuration: str | None = None
    tags: TagPairs = ()  # of the listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One modification. A patch has a `value` that is merged, or else `steps`."""

    part: Part
    operation: Operation
    match: Matching
    value: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Of a resource as such, not of something in it."""
        return self.part in (Part.CLUSTER, Part.LISTENER)

    @property
    def is_edit(self) -> bool:
        """It changes resources that are there, and neither brings nor takes one."""
        return not self.is_whole or self.operation is Operation.PATCH

    @property
    def native(self) -> Message:
        """What is in `value`. Nobody changes it. Raises: UnmakeableError."""
        return native(_TYPES[self.part], self.value)


_TYPES: Final[Mapping[Part, str]] = {
    Part.CLUSTER: "envoy.config.cluster.v3.Cluster",
    Part.LISTENER: "envoy.config.listener.v3.Listener",
    Part.NETWORK_FILTER: "envoy.config.listener.v3.Filter",
    Part.HTTP_FILTER: ("envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"),
    Part.VIRTUAL_HOST: "envoy.config.route.v3.VirtualHost",
}


class Run:
    """Changes that are made of one resource, one after the other. It knows its hash."""

    __slots__ = ("_hash", "changes")

    def __init__(self, changes: tuple[Change, ...]) -> None:
        self.changes = changes
        self._hash = hash(changes)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Run) and self.changes == other.changes)


def runs_of(changes: Iterable[Change]) -> tuple[Run, ...]:
    """Those in which each resource can be changed at once: additions and removals stand alone."""
    found = []
    for is_edit, group in groupby(changes, key=lambda each: each.is_edit):
        whole = tuple(group)
        found += [Run(whole)] if is_edit else [Run((each,)) for each in whole]
    return tuple(found)


def apply_changes(runs: Iterable[Run], draft: Draft, about: str) -> None:
    """What is added has the origin of `draft`. `about` is the policy that says so."""
    first = 1
    for run in runs:
        told = draft.complaints
        failed: dict[int, list[Complaint]] = {}
        draft.complaints = []
        try:
            if run.changes[0].is_edit:
                _edit(run, draft, failed)
            else:
                _add_or_remove(run.changes[0], draft)
                failed[0] = draft.complaints
        except UnmakeableError as error:
            failed[0] = [Complaint(about, str(error))]
        draft.complaints = told
        for index, complaints in sorted(failed.items()):
            if complaints:
                change = run.changes[index]
                which = f"modification {first + index}, {change.part} {change.operation}"
                told.append(_joined(complaints, about, which))
        first += len(run.changes)


def _joined(found: Sequence[Complaint], about: str, which: str) -> Complaint:
    """One complaint of several: a change may fail at a thousand listeners."""
    first, *others = found
    place = "" if first.about in ("", about) else f" of {first.about}"
    rest = f" (and of {len(others)} more)" if others else ""
    return Complaint(about, f"{which}{place}{rest}: {first.reason}")


def _add_or_remove(change: Change, draft: Draft) -> None:
    url = CLUSTER if change.part is Part.CLUSTER else LISTENER
    if change.operation is Operation.REMOVE:
        for name in list(_found(draft.made(url), draft.origins(url), change.match.name, change)):
            if _is_tagged(draft, name, change.match.tags):
                draft.drop(url, name)
        return
    name = change.native.name
    if not name:
        raise UnmakeableError("what is added has no name")
    draft.add(url, name, _added, change)
    if change.part is Part.CLUSTER:
        assign_nothing(draft, [name])


def _edit(run: Run, draft: Draft, failed: dict[int, list[Complaint]]) -> None:
    """Each resource at once; one by one where that fails, to know which it is and make the others.

    `failed` are told of each change, by its place in the run.
    """
    wanted = _wanted(run, draft, failed)
    runs: dict[tuple[int, ...], Run] = {}
    for (url, name), indices in wanted.items():
        together = runs.get(indices)
        if together is None:
            together = runs[indices] = Run(tuple(run.changes[index] for index in indices))
        draft.edit(url, name, _change_by, together)
        if not draft.complaints:
            continue
        draft.complaints.clear()
        for index in indices:
            draft.edit(url, name, _change_by, Run((run.changes[index],)))
            if draft.complaints:
                failed.setdefault(index, []).extend(draft.complaints)
                draft.complaints.clear()
    clusters = {name: indices[0] for (url, name), indices in wanted.items() if url == CLUSTER}
    assign_nothing(draft, clusters)
    for complaint in draft.complaints:
        failed.setdefault(clusters[complaint.about], []).append(complaint)


def _wanted(
    run: Run, draft: Draft, failed: dict[int, list[Complaint]]
) -> Mapping[tuple[str, str], tuple[int, ...]]:
    """Which changes are about which resource."""
    urls = (CLUSTER, LISTENER)
    made = {url: draft.made(url) for url in urls}
    origins = {url: draft.origins(url) for url in urls}
    wanted: dict[tuple[str, str], tuple[int, ...]] = {}
    for index, change in enumerate(run.changes):
        try:
            _ = change.native  # before anything is changed: one fault is told once
        except UnmakeableError as error:
            failed[index] = [Complaint("", str(error))]
            continue
        url = CLUSTER if change.part is Part.CLUSTER else LISTENER
        named = change.match.name if change.is_whole else change.match.listener
        for name in _found(made[url], origins[url], named, change):
            wanted[url, name] = (*wanted.get((url, name), ()), index)
    return wanted


def _found(
    made: Mapping[str, Resource], origins: Mapping[str, str], name: str | None, change: Change
) -> Iterator[str]:
    names = made if name is None else [name] if name in made else []
    origin = change.match.origin
    return (each for each in names if origin is None or origins.get(each) == origin)


def _change_by(message: Message, run: Run) -> bool:
    """Whether anything was changed."""
    found = [_CHANGES[change.part](message, change) for change in run.changes]
    return any(found)


def assign_nothing(draft: Draft, clusters: Iterable[str]) -> None:
    """Envoy waits for endpoints that it has to ask for, and with it all that comes after."""
    assigned, made = draft.assigned.resources.resources, draft.made(CLUSTER)
    for name in clusters:
        if name in assigned or name not in made:
            continue
        cluster = made[name]
        asked = draft.parts.made((_asked, cluster), partial(_asked, cluster))
        if asked and asked not in assigned and asked not in draft.made(ENDPOINT):
            draft.add(ENDPOINT, asked, _no_endpoints)
            draft.complain(name, "its endpoints would come from ADS, which has none for it")


def _asked(made: Resource) -> str:
    """Under which name a cluster asks for endpoints; "": it does not."""
    cluster = unpacked(made.packed)
    config = cluster.eds_cluster_config
    if cluster.type != Cluster.EDS or not config.eds_config.HasField("ads"):
        return ""
    return str(config.service_name or cluster.name)


def _no_endpoints(name: str) -> Message:
    return load_assignment(name, ())


def _is_tagged(draft: Draft, name: str, wanted: TagPairs) -> bool:
    if not wanted:
        return True
    listener = draft.made(LISTENER)[name]
    return draft.parts.made(
        (_has_tags, wanted, listener), lambda: _has_tags(unpacked(listener.packed), wanted)
    )


def _added(name: str, change: Change) -> Message:  # noqa: ARG001 (its name is in it)
    return change.native


def _patch_whole(message: Message, change: Change) -> bool:
    if change.part is Part.LISTENER and not _has_tags(message, change.match.tags):
        return False
    _patch(message, change)
    return True


def _patch(message: Message, change: Change) -> None:
    if change.steps:
        apply_steps(message, change.steps)
    else:
        merge(message, change.native)


def _has_tags(listener: Message, wanted: TagPairs) -> bool:
    if not wanted:
        return True
    fields = listener.metadata.filter_metadata
    own = fields[TAGS_METADATA].fields if TAGS_METADATA in fields else {}
    return selects(dict(wanted), {tag: value.string_value for tag, value in own.items()})


def _change_chains(listener: Message, change: Change) -> bool:
    """Whether anything was changed."""
    if not _has_tags(listener, change.match.tags):
        return False
    found = [_change_chain(each, change) for each in listener.filter_chains]
    return any(found)


def _change_chain(chain: Message, change: Change) -> bool:
    if change.part is Part.NETWORK_FILTER:
        return _change_filters(chain.filters, change)
    found = [_change_manager(each, change) for each in chain.filters if each.name == HTTP_MANAGER]
    return any(found)


def _change_manager(network_filter: Message, change: Change) -> bool:
    manager = HttpConnectionManager()
    if not network_filter.typed_config.Unpack(manager):
        return False
    if change.part is Part.HTTP_FILTER:
        is_changed = _change_filters(manager.http_filters, change)
    else:
        is_changed = _change_hosts(manager, change)
    if is_changed:
        network_filter.typed_config.CopyFrom(packed(manager))
    return is_changed


def _change_filters(filters: Message, change: Change) -> bool:
    name = change.match.name
    places = [at for at, each in enumerate(filters) if name is None or each.name == name]
    match change.operation:
        case Operation.ADD_FIRST:
            filters.insert(0, change.native)
        case Operation.ADD_LAST:
            filters.append(change.native)
        case _ if not places:
            return False
        case Operation.ADD_BEFORE:
            filters.insert(places[0], change.native)
        case Operation.ADD_AFTER:
            filters.insert(places[0] + 1, change.native)
        case Operation.REMOVE:
            for at in reversed(places):
                del filters[at]
        case _:
            for at in places:
                _patch_filter(filters[at], change)
    return True


def _patch_filter(message: Message, change: Change) -> None:
    """Its configuration alone: the name says which one is meant."""
    if change.steps:
        apply_steps_any(message.typed_config, change.steps)
    else:
        merge_any(message.typed_config, change.native.typed_config)


def _change_hosts(manager: Message, change: Change) -> bool:
    """Of routes that are in the manager itself."""
    if not manager.HasField("route_config"):
        return False
    config, wanted = manager.route_config, change.match
    if wanted.route_configuration not in (None, config.name):
        return False
    if change.operation is Operation.ADD:
        config.virtual_hosts.append(change.native)
        return True
    places = [
        at for at, each in enumerate(config.virtual_hosts) if wanted.name in (None, each.name)
    ]
    for at in reversed(places):
        if change.operation is Operation.REMOVE:
            del config.virtual_hosts[at]
        else:
            _patch(config.virtual_hosts[at], change)
    return bool(places)


_CHANGES: Final[Mapping[Part, Callable[[Message, Change], bool]]] = {
    Part.CLUSTER: _patch_whole,
    Part.LISTENER: _patch_whole,
    Part.NETWORK_FILTER: _change_chains,
    Part.HTTP_FILTER: _change_chains,
    Part.VIRTUAL_HOST: _change_chains,
}
