"""ProxyTemplate: Envoy's configuration changed by hand, in the older form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.native_envoy import (
    ANY,
    CLUSTER,
    HTTP_FILTER,
    LISTENER,
    NETWORK_FILTER,
    VIRTUAL_HOST,
    Needed,
    native_fault,
)
from kong_mesh_cp.core.resources.inline_secrets import MASK
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import CANNOT_BE_EMPTY, WITH_SERVICE
from kong_mesh_cp.core.resources.tags import Selector, selectors_violations
from kong_mesh_cp.core.schema.messages import EMPTY, Message, oneof, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

# Sets of generators that make a proxy's configuration, by the names Kuma knows them under.
PROFILES: Final = ("default-proxy", "egress-proxy", "gateway-proxy", "ingress-proxy")

_FEW: Final = ("add", "patch", "remove")
_NO_NEIGHBOUR: Final = "cannot be empty. You need to pick a filter {} which this one will be added"
_NAMELESS: Final = {
    "addBefore": _NO_NEIGHBOUR.format("before"),
    "addAfter": _NO_NEIGHBOUR.format("after"),
    "patch": CANNOT_BE_EMPTY,
}
_MANY: Final = ("addFirst", "addLast", "addBefore", "addAfter", "patch", "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMatch(Message):
    """Clusters by their name and by the part of the control plane that made them."""

    origin: str = proto("", number=1)
    name: str = proto("", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerMatch(Message):
    """Listeners by name, origin and the tags of their inbound."""

    origin: str = proto("", number=1)
    name: str = proto("", number=2)
    tags: Mapping[str, str] = proto(EMPTY, number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterMatch(Message):
    """Filters by their name, and by the listener they belong to."""

    origin: str = proto("", number=1)
    name: str = proto("", number=2)
    listener_name: str = proto("", number=3)
    listener_tags: Mapping[str, str] = proto(EMPTY, number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHostMatch(Message):
    """Virtual hosts by name, origin and route configuration."""

    origin: str = proto("", number=1)
    name: str = proto("", number=2)
    route_configuration_name: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChange(Message):
    """A change of clusters."""

    match: NameMatch | None = proto(number=1)
    operation: str = proto("", number=2)
    value: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerChange(Message):
    """A change of listeners."""

    match: ListenerMatch | None = proto(number=1)
    operation: str = proto("", number=2)
    value: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChange(Message):
    """A change of network or HTTP filters."""

    match: FilterMatch | None = proto(number=1)
    operation: str = proto("", number=2)
    value: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHostChange(Message):
    """A change of virtual hosts."""

    match: VirtualHostMatch | None = proto(number=1)
    operation: str = proto("", number=2)
    value: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modification(Message):
    """One change of Envoy's configuration; exactly one member is set."""

    cluster: ClusterChange | None = oneof("type", number=1)
    listener: ListenerChange | None = oneof("type", number=2)
    network_filter: FilterChange | None = oneof("type", number=3)
    http_filter: FilterChange | None = oneof("type", number=4)
    virtual_host: VirtualHostChange | None = oneof("type", number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResource(Message):
    """An Envoy resource that is added as it is, in YAML or JSON."""

    name: str = proto("", number=1)
    version: str = proto("", number=2)
    resource: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """The profiles it starts from, resources that are added, and changes in their order."""

    imports: tuple[str, ...] = proto((), number=1)
    resources: tuple[RawResource, ...] = proto((), number=2)
    modifications: tuple[Modification, ...] = proto((), number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTemplate(Message):
    """The spec of a ProxyTemplate."""

    selectors: tuple[Selector, ...] = proto((), number=1)
    conf: Conf | None = proto(number=2)


def violations(template: ProxyTemplate) -> list[Violation]:
    """Everything that is wrong with a ProxyTemplate."""
    found = selectors_violations(
        # A template without selectors is for every proxy, so none is needed.
        root("selectors"),
        template.selectors,
        WITH_SERVICE,
        at_least_one=False,
    )
    conf, path = template.conf or Conf(), root("conf")
    for index, profile in enumerate(conf.imports):
        found += _import(profile, path.field("imports").index(index))
    for index, resource in enumerate(conf.resources):
        found += _resource(resource, path.field("resources").index(index))
    for index, modification in enumerate(conf.modifications):
        found += _modification(modification, path.field("modifications").index(index))
    return found


def _import(profile: str, path: FieldPath) -> list[Violation]:
    if not profile:
        return [path.violation(CANNOT_BE_EMPTY)]
    if profile in PROFILES:
        return []
    return [path.violation(f"profile not found. Available profiles: {','.join(PROFILES)}")]


def _resource(resource: RawResource, path: FieldPath) -> list[Violation]:
    found = [
        path.field(name).violation(CANNOT_BE_EMPTY)
        for name in ("name", "version", "resource")
        if not getattr(resource, name)
    ]
    if not resource.resource:
        return found
    return found + _native(resource.resource, path.field("resource"), ANY)


def _native(text: str, path: FieldPath, needed: tuple[Needed, ...]) -> list[Violation]:
    # A mask is no resource at all, which is told where masks are looked for.
    fault = native_fault(text, () if text == MASK else needed)
    return [] if fault is None else [path.violation(f"native Envoy resource is not valid: {fault}")]


def _modification(modification: Modification, path: FieldPath) -> list[Violation]:
    # A oneof: protobuf lets no two of them through. None at all is accepted and does nothing.
    if modification.cluster is not None:
        return _whole(modification.cluster, path.field("cluster"), CLUSTER)
    if modification.listener is not None:
        return _whole(modification.listener, path.field("listener"), LISTENER)
    if modification.network_filter is not None:
        return _in_chain(modification.network_filter, path.field("networkFilter"), NETWORK_FILTER)
    if modification.http_filter is not None:
        return _in_chain(modification.http_filter, path.field("httpFilter"), HTTP_FILTER)
    if modification.virtual_host is not None:
        return _virtual_host(modification.virtual_host, path.field("virtualHost"))
    return []


def _whole(
    change: ClusterChange | ListenerChange, path: FieldPath, needed: tuple[Needed, ...]
) -> list[Violation]:
    if change.operation not in _FEW:
        return [_unknown_operation(path, _FEW)]
    found = []
    # What is added is matched by nothing.
    if change.operation == "add" and change.match is not None:
        found.append(path.field("match").violation("cannot be defined"))
    return found + _value(change.operation, change.value, path, needed)


def _virtual_host(change: VirtualHostChange, path: FieldPath) -> list[Violation]:
    if change.operation not in _FEW:
        return [_unknown_operation(path, _FEW)]
    found = []
    if change.operation == "add" and change.match is not None and change.match.name:
        found.append(path.field("match").field("name").violation("cannot be defined"))
    return found + _value(change.operation, change.value, path, VIRTUAL_HOST)


def _in_chain(change: FilterChange, path: FieldPath, needed: tuple[Needed, ...]) -> list[Violation]:
    if change.operation not in _MANY:
        return [_unknown_operation(path, _MANY)]
    found = []
    reason = _NAMELESS.get(change.operation)
    if reason is not None and (change.match is None or not change.match.name):
        found.append(path.field("match").field("name").violation(reason))
    return found + _value(change.operation, change.value, path, needed)


def _value(
    operation: str, value: str, path: FieldPath, needed: tuple[Needed, ...]
) -> list[Violation]:
    # A value with `remove` is ignored here; MeshProxyPatch refuses it.
    if operation == "remove":
        return []
    # A patch is merged into what has all it needs.
    return _native(value, path.field("value"), () if operation == "patch" else needed)


def _unknown_operation(path: FieldPath, known: tuple[str, ...]) -> Violation:
    listed = ", ".join(f'"{name}"' for name in known)
    reason = f"invalid operation. Available operations: {listed}"
    return path.field("operation").violation(reason)


KIND: Final[Kind[ProxyTemplate]] = proto_kind("ProxyTemplate", ProxyTemplate, violations)
