"""MeshProxyPatch: changes to the Envoy resources themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Generic, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.native_envoy import (
    CLUSTER,
    HTTP_FILTER,
    LISTENER,
    NETWORK_FILTER,
    VIRTUAL_HOST,
    Needed,
    native_fault,
)
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import PROXIES, SPEC, top, top_warnings
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.inline_secrets import MASK
from kong_mesh_cp.core.schema.record_terms import NULLABLE, AnyJson, OneOf
from kong_mesh_cp.core.schema.value_checks import (
    MUST_BE_DEFINED,
    MUST_NOT_BE_DEFINED,
    MUST_NOT_BE_EMPTY,
    exactly_one_of,
    only_one_of,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

_RESOURCE_OPERATIONS: Final = ("Add", "Remove", "Patch")
_FILTER_OPERATIONS: Final = ("Remove", "Patch", "AddFirst", "AddBefore", "AddAfter", "AddLast")


# The steps are applied to the resource as protobuf's JSON mapping writes it: camelCase members.
@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPatch:
    """One step of RFC 6902, to which null is a value (`NULL`)."""

    op: Annotated[str, OneOf(("add", "remove", "replace", "move", "copy"))]
    path: str
    from_: str | None = None
    value: Annotated[AnyJson, NULLABLE] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMatch:
    """Clusters by their name and by the part of the control plane that made them."""

    # The generator that made the resource: `inbound`, `outbound`, `gateway` … Not checked, as a
    # newer control plane may have more of them.
    origin: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerMatch:
    """Listeners by name, origin and the tags of their inbound."""

    origin: str | None = None
    name: str | None = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterMatch:
    """Filters by their name, and by the listener they belong to."""

    origin: str | None = None
    name: str | None = None
    listener_name: str | None = None
    listener_tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHostMatch:
    """Virtual hosts by name, origin and route configuration."""

    origin: str | None = None
    name: str | None = None
    route_configuration_name: str | None = None


M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMod(Generic[M]):
    """A change of clusters or listeners, those that `match` fits."""

    operation: Annotated[str, OneOf(_RESOURCE_OPERATIONS)]
    match: M | None = None
    value: str | None = None
    json_patches: tuple[JsonPatch, ...] | None = None


ClusterMod = ResourceMod[ClusterMatch]
ListenerMod = ResourceMod[ListenerMatch]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterMod:
    """A change of network or HTTP filters; their order matters, so they have more operations."""

    operation: Annotated[str, OneOf(_FILTER_OPERATIONS)]
    match: FilterMatch | None = None
    value: str | None = None
    json_patches: tuple[JsonPatch, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHostMod:
    """A change of virtual hosts."""

    operation: Annotated[str, OneOf(_RESOURCE_OPERATIONS)]
    # Required here alone: a virtual host is added to a route configuration, which has to be named.
    match: VirtualHostMatch
    value: str | None = None
    json_patches: tuple[JsonPatch, ...] | None = None


Mod = ClusterMod | ListenerMod | FilterMod | VirtualHostMod


@dataclass(frozen=True, slots=True, kw_only=True)
class Modification:
    """One change of Envoy's configuration; exactly one member is set."""

    cluster: ClusterMod | None = None
    listener: ListenerMod | None = None
    network_filter: FilterMod | None = None
    http_filter: FilterMod | None = None
    virtual_host: VirtualHostMod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The changes, made in their order."""

    append_modifications: tuple[Modification, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshProxyPatch:
    """The spec of a MeshProxyPatch."""

    target_ref: TargetRef | None = None
    # Required, other than in MeshMetric and MeshTrace: a patch without changes has no meaning.
    default: Conf


def _violations(spec: MeshProxyPatch) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"), listener_tags=False)
    at = SPEC.field("default").field("appendModifications")
    # The list is joined over policies, so that an empty one could not even clear another.
    if not spec.default.append_modifications:
        yield at.violation(MUST_NOT_BE_EMPTY)
    for index, modification in enumerate(spec.default.append_modifications or ()):
        yield from _modification(modification, at.index(index))


def _modification(modification: Modification, at: FieldPath) -> Iterator[Violation]:
    defined: list[tuple[str, Mod]] = [
        (name, mod)
        for name, mod in (
            ("cluster", modification.cluster),
            ("listener", modification.listener),
            ("virtualHost", modification.virtual_host),
            ("networkFilter", modification.network_filter),
            ("httpFilter", modification.http_filter),
        )
        if mod is not None
    ]
    # A oneof that the schema cannot say, because all of them are optional members of one object.
    if len(defined) != 1:
        yield at.violation(
            "exactly one modification can be defined at a time. "
            f"Currently, {len(defined)} modifications are defined"
        )
        return
    ((name, mod),) = defined
    if isinstance(mod, FilterMod):
        yield from _filter(mod, name, at.field(name))
    else:
        yield from _resource(mod, name, at.field(name))


def _resource(
    mod: ClusterMod | ListenerMod | VirtualHostMod, name: str, at: FieldPath
) -> Iterator[Violation]:
    match mod.operation:
        # What is added is matched by nothing: a match would look like a condition.
        case "Add":
            yield from _unmatched(mod, at.field("match"))
            yield from _added(mod, name, at.field("value"))
        case "Patch":
            yield from _patched(mod, name, at)
        case "Remove":
            yield from _removed(mod, at)
        case _:
            yield at.field("operation").violation(_available("Add", "Patch", "Remove"))


def _unmatched(
    mod: ClusterMod | ListenerMod | VirtualHostMod, at: FieldPath
) -> Iterator[Violation]:
    if isinstance(mod, VirtualHostMod):
        # Its match also says to which routes the host is added.
        if mod.match.name is not None:
            yield at.field("name").violation(MUST_NOT_BE_DEFINED)
    # Listeners and clusters stand alone, so that nothing has to be said about where to put them.
    elif mod.match is not None:
        yield at.violation(MUST_NOT_BE_DEFINED)


_PICK: Final = "You need to pick a filter {} which this one will be added"
_NEIGHBOURS: Final = {
    "AddBefore": f"{MUST_BE_DEFINED}. {_PICK.format('before')}",
    "AddAfter": f"{MUST_BE_DEFINED}. {_PICK.format('after')}",
    "Patch": MUST_BE_DEFINED,
}


def _filter(mod: FilterMod, name: str, at: FieldPath) -> Iterator[Violation]:
    # Filters are ordered, and some operations need a neighbour or a target; without a name Patch
    # would change every filter of the proxy.
    unnamed = mod.match is None or mod.match.name is None
    if unnamed and mod.operation in _NEIGHBOURS:
        yield at.field("match").field("name").violation(_NEIGHBOURS[mod.operation])
    match mod.operation:
        case "AddFirst" | "AddLast" | "AddBefore" | "AddAfter":
            yield from _added(mod, name, at.field("value"))
        case "Patch":
            yield from _patched(mod, name, at)
        case "Remove":
            yield from _removed(mod, at)
        case _:
            yield at.field("operation").violation(
                _available("AddFirst", "AddLast", "AddBefore", "AddAfter", "Patch", "Remove")
            )


_NEEDED: Final = {
    "cluster": CLUSTER,
    "listener": LISTENER,
    "networkFilter": NETWORK_FILTER,
    "httpFilter": HTTP_FILTER,
    "virtualHost": VIRTUAL_HOST,
}


def _added(mod: Mod, name: str, at: FieldPath) -> Iterator[Violation]:
    if mod.value is None:
        yield at.violation(MUST_BE_DEFINED)
    else:
        yield from _native(mod.value, at, _NEEDED[name])


def _removed(mod: Mod, at: FieldPath) -> Iterator[Violation]:
    if mod.value is not None:
        yield at.field("value").violation(MUST_NOT_BE_DEFINED)


def _patched(mod: Mod, name: str, at: FieldPath) -> Iterator[Violation]:
    # Order of the cases as in Kuma: both given, then each of them alone, then none.
    if mod.value is not None and mod.json_patches:
        yield at.violation(only_one_of(name, "value", "jsonPatches"))
    elif mod.value is not None:
        yield from _native(mod.value, at.field("value"))
    elif not mod.json_patches:
        yield at.violation(exactly_one_of(name, "value", "jsonPatches"))
    else:
        for index, step in enumerate(mod.json_patches):
            yield from _step(step, at.field("jsonPatches").index(index))


def _step(step: JsonPatch, at: FieldPath) -> Iterator[Violation]:
    yield from _only_with(("move", "copy"), step, "from", step.from_, at)
    yield from _only_with(("add", "replace"), step, "value", step.value, at)
    # RFC 6902 allows to remove the whole document; a listener that is nothing has no meaning.
    if step.op == "remove" and step.path in {"", "/"}:
        yield at.field("path").violation("root path cannot be removed")


def _only_with(
    operations: tuple[str, str], step: JsonPatch, name: str, value: object, at: FieldPath
) -> Iterator[Violation]:
    listed = ", ".join(f'"{operation}"' for operation in operations)
    if step.op in operations and value is None:
        reason = f'"{name}" {MUST_NOT_BE_EMPTY} when "op" is one of [{listed}]'
        yield at.field(name).violation(reason)
    if step.op not in operations and value is not None:
        reason = f'"{name}" is allowed only when "op" is one of [{listed}]'
        yield at.field(name).violation(reason)


def _native(value: str, at: FieldPath, needed: tuple[Needed, ...] = ()) -> Iterator[Violation]:
    # Only the outer form: Envoy's own messages are not known to the core, so a wrong field is found
    # by Envoy and shown as a rejected configuration of the proxy.
    # A mask is no resource at all, which is told where masks are looked for.
    fault = native_fault(value, () if value == MASK else needed)
    if fault is not None:
        yield at.violation(f"native Envoy resource is not valid: {fault}")


def _available(*operations: str) -> str:
    quoted = ", ".join(f'"{operation}"' for operation in operations)
    return f"invalid operation. Available operations: {quoted}"


KIND: Final = policy_kind("MeshProxyPatch", MeshProxyPatch, Conf, _violations, top_warnings)
