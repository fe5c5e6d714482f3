"""MeshGateway: the listeners of builtin gateways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.tags import (
    CANNOT_BE_EMPTY,
    EXTERNAL_SERVICE,
    PROTOCOL,
    SERVICE,
    ZONE,
    Selector,
    TagRules,
    hostname_violations,
    port_violations,
    selector_violations,
    selectors_violations,
)
from kong_mesh_cp.core.schema.messages import EMPTY, Message, ProtoEnum, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

CERTIFICATES_MAX: Final = 2  # one RSA, one ECDSA

_LISTENER_TAGS: Final = TagRules(
    # What a Dataplane says of itself is not for its listeners to say.
    forbidden_names=frozenset({EXTERNAL_SERVICE, PROTOCOL, SERVICE, ZONE})
)


class TlsMode(ProtoEnum):
    """Who ends a TLS session: the gateway, or what lies behind it."""

    __proto_name__ = "kuma.mesh.v1alpha1.MeshGateway.TLS.Mode"
    # Not a mode but its absence, which is refused below; protobuf cannot ask for a value.
    NONE = 0
    TERMINATE = 1
    PASSTHROUGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions(Message):
    """Nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(Message):
    """How TLS ends at a listener, and its certificates."""

    mode: TlsMode = proto(TlsMode.NONE, number=1)
    certificates: tuple[DataSource, ...] = proto((), number=2)
    options: TlsOptions | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerResources(Message):
    """What a listener may use."""

    connection_limit: Uint32 = proto(0, number=1, original=True)


class Protocol(ProtoEnum):
    """What a listener speaks."""

    __proto_name__ = "kuma.mesh.v1alpha1.MeshGateway.Listener.Protocol"
    NONE = 0
    TCP = 1
    TLS = 3
    HTTP = 4
    HTTPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener(Message):
    """A port of a gateway, for one hostname."""

    hostname: str = proto("", number=1)  # "" and `*` are any
    port: Uint32 = proto(0, number=2)
    protocol: Protocol = proto(Protocol.NONE, number=3)
    tls: Tls | None = proto(number=4)
    tags: Mapping[str, str] = proto(EMPTY, number=5)
    cross_mesh: bool = proto(default=False, number=6)
    resources: ListenerResources | None = proto(number=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """The listeners of a gateway."""

    listeners: tuple[Listener, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshGateway(Message):
    """The spec of a MeshGateway."""

    selectors: tuple[Selector, ...] = proto((), number=1)
    tags: Mapping[str, str] = proto(EMPTY, number=2)
    conf: Conf | None = proto(number=3)

    @property
    def is_cross_mesh(self) -> bool:
        return self.conf is not None and any(each.cross_mesh for each in self.conf.listeners)


def violations(gateway: MeshGateway) -> list[Violation]:
    """Everything that is wrong with a MeshGateway by itself."""
    # Gateways across meshes have one selector: another mesh knows them by its service alone.
    found = selectors_violations(
        root("selectors"),
        gateway.selectors,
        TagRules(at_least_one=True, service_required=True),
        at_most_one=gateway.is_cross_mesh,
    )
    # Selector rules, not those of tags: slashes are allowed in the values of gateways.
    found += selector_violations(root("tags"), gateway.tags, _LISTENER_TAGS)
    path = root("conf")
    # Nothing more can be said; selectors and tags have been checked by now.
    if gateway.conf is None:
        return [*found, path.violation(CANNOT_BE_EMPTY)]
    path = path.field("listeners")
    if not gateway.conf.listeners:
        found.append(path.violation(CANNOT_BE_EMPTY))
    for index, listener in enumerate(gateway.conf.listeners):
        found += _listener(listener, path.index(index))
    return found + _collisions(gateway.conf.listeners, path)


def _listener(listener: Listener, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    if listener.hostname:
        found += hostname_violations(path.field("hostname"), listener.hostname)
    found += port_violations(path.field("port"), listener.port)
    if listener.protocol == Protocol.NONE:
        found.append(path.field("protocol").violation(CANNOT_BE_EMPTY))
    # TLS listeners are not asked for a `tls` section: Kuma checks what is there, and no more.
    if listener.protocol == Protocol.HTTPS:
        found += _https(listener, path)
    if listener.tls is not None:
        # Between meshes the meshes' own mTLS protects, and a certificate here would have no use.
        check = _cross_mesh_tls if listener.cross_mesh else _tls
        found += check(listener.tls, path.field("tls"))
    return found + selector_violations(path.field("tags"), listener.tags, _LISTENER_TAGS)


def _https(listener: Listener, path: FieldPath) -> list[Violation]:
    if listener.cross_mesh:
        return [path.field("protocol").violation("protocol is not supported with crossMesh")]
    if listener.tls is None:
        return [path.field("tls").violation(CANNOT_BE_EMPTY)]
    if listener.tls.mode == TlsMode.PASSTHROUGH:
        reason = "mode is not supported on HTTPS listeners"
        return [path.field("tls").field("mode").violation(reason)]
    return []


def _tls(tls: Tls, path: FieldPath) -> list[Violation]:
    if tls.mode == TlsMode.NONE:
        return [path.field("mode").violation(CANNOT_BE_EMPTY)]
    at = path.field("certificates")
    if tls.mode == TlsMode.TERMINATE and not tls.certificates:
        # A certificate for passthrough is accepted and unused, as in Kuma.
        return [at.violation("cannot be empty in TLS termination mode")]
    if tls.mode == TlsMode.TERMINATE and len(tls.certificates) > CERTIFICATES_MAX:
        return [at.violation(f"cannot have more than {CERTIFICATES_MAX} certificates")]
    return []


def _cross_mesh_tls(tls: Tls, path: FieldPath) -> list[Violation]:
    if tls.mode == TlsMode.NONE and not tls.certificates:
        return []
    return [path.violation("must be empty with crossMesh")]


def _collisions(listeners: Sequence[Listener], path: FieldPath) -> list[Violation]:
    """Listeners of one port become one listener of Envoy, and must be fit for it."""
    by_port: dict[int, list[tuple[FieldPath, Listener]]] = defaultdict(list)
    for index, listener in enumerate(listeners):
        by_port[listener.port].append((path.index(index), listener))
    found: list[Violation] = []
    for group in by_port.values():
        # Every listener of the port is named: none of them is the wrong one by itself.
        if len({listener.protocol for _, listener in group}) > 1:
            reason = "protocol conflicts with other listeners on this port"
            found += [at.violation(reason) for at, _ in group]
        # "" and `*` are one host name, and so collide.
        hostnames = [listener.hostname or "*" for _, listener in group]
        reason = "multiple listeners for hostname on this port"
        found += [
            at.violation(reason)
            for (at, _), hostname in zip(group, hostnames, strict=True)
            if hostnames.count(hostname) > 1
        ]
        found += _limits(group)
    return found


def _limits(group: Sequence[tuple[FieldPath, Listener]]) -> list[Violation]:
    limited = [
        (at, listener.resources.connection_limit)
        for at, listener in group
        if listener.resources is not None and listener.resources.connection_limit
    ]
    # One Envoy listener has one limit; listeners that set none agree with any.
    if len({limit for _, limit in limited}) <= 1:
        return []
    reason = "conflicting values for this port"
    return [at.field("resources").field("connectionLimit").violation(reason) for at, _ in limited]


KIND: Final[Kind[MeshGateway]] = proto_kind("MeshGateway", MeshGateway, violations)
