"""Changes of Envoy's resources themselves, as users write them, in their order.

A change that cannot be made is told, and what it would change stays as it is.

Source: docs/wire/envoy-patches.md#modifications
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
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


def apply_changes(changes: Sequence[Change], draft: Draft, about: str) -> None:
    """What is added has the origin of `draft`. `about` is the policy that says so."""
    for index, change in enumerate(changes):
        told = len(draft.complaints)
        try:
            _apply(change, draft)
        except UnmakeableError as error:
            draft.complain(about, error)
        _tell_once(
            draft, told, about, f"modification {index + 1}, {change.part} {change.operation}"
        )


def _tell_once(draft: Draft, told: int, about: str, which: str) -> None:
    """One complaint of those after the first `told`: a change may fail at a thousand listeners."""
    found = draft.complaints[told:]
    if not found:
        return
    first, *others = found
    place = "" if first.about == about else f" of {first.about}"
    rest = f" (and of {len(others)} more)" if others else ""
    draft.complaints[told:] = [Complaint(about, f"{which}{place}{rest}: {first.reason}")]


def _apply(change: Change, draft: Draft) -> None:
    is_whole = change.part in (Part.CLUSTER, Part.LISTENER)
    url = CLUSTER if change.part is Part.CLUSTER else LISTENER
    value = change.native  # before anything is changed: one fault is told once
    if is_whole and change.operation is Operation.ADD:
        if not value.name:
            raise UnmakeableError("what is added has no name")
        draft.add(url, value.name, _added, change)
        touched = [value.name]
    else:
        wanted = change.match.name if is_whole else change.match.listener
        touched = list(_found(draft, url, wanted, change.match.origin))
        if is_whole and change.operation is Operation.REMOVE:
            for name in touched:
                if _is_tagged(draft, name, change.match.tags):
                    draft.drop(url, name)
            return
        for name in touched:
            draft.edit(url, name, _CHANGES[change.part], change)
    if change.part is Part.CLUSTER:
        assign_nothing(draft, touched)


def assign_nothing(draft: Draft, clusters: Iterable[str]) -> None:
    """Envoy waits for endpoints that it has to ask for, and with it all that comes after."""
    for name in clusters:
        made = draft.made(CLUSTER).get(name)
        asked = "" if made is None else draft.parts.made((_asked, made), partial(_asked, made))
        known = (draft.assigned.resources.resources, draft.made(ENDPOINT))
        if asked and not any(asked in each for each in known):
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


def _found(draft: Draft, url: str, name: str | None, origin: str | None) -> Iterator[str]:
    made = draft.made(url)
    names = made if name is None else [name] if name in made else []
    if origin is None:
        yield from names
        return
    origins = draft.origins(url)
    yield from (each for each in names if origins.get(each) == origin)


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
