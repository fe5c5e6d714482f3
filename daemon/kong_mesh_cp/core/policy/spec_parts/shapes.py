"""The shape of targetRef policies: their lists, and the checks all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.target_ref import (
    WHOLE_MESH,
    Allowed,
    TargetRef,
    violations,
)
from kong_mesh_cp.core.schema.record_terms import EMPTY_IF_ABSENT
from kong_mesh_cp.core.schema.value_checks import MUST_NOT_BE_DEFINED
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

C = TypeVar("C")

SPEC: Final = root("spec")

WHOLE_MESH_ONLY: Final = Allowed(kinds=("Mesh",))
# Clients are known by the tags in their certificates, so that only kinds with tags can name them.
CLIENTS: Final = Allowed(kinds=("Mesh", "MeshSubset", "MeshService", "MeshServiceSubset"))
DESTINATIONS: Final = Allowed(
    # No MeshServiceSubset: a destination is one service, whatever tags its endpoints have.
    kinds=("Mesh", "MeshService", "MeshExternalService", "MeshMultiZoneService")
)
CLUSTERS: Final = Allowed(kinds=("Mesh", "MeshService", "MeshMultiZoneService"))
"""Destinations whose endpoints the proxies of clients balance and probe themselves."""

AT_GATEWAY: Final = Allowed(kinds=("Mesh", "MeshExternalService"))
ROUTED: Final = Allowed(kinds=("MeshService", "MeshExternalService", "MeshMultiZoneService"))

PROXIES: Final = ("Mesh", "MeshSubset", "MeshGateway", "MeshService", "MeshServiceSubset")
"""Kinds that most policies take at the top, beside Dataplane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[C]):
    """Of a `to` or `from` list: a conf for the traffic that `target_ref` stands for."""

    target_ref: TargetRef
    default: Annotated[C, EMPTY_IF_ABSENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[C]):
    """Of a `rules` list: a conf for all traffic that comes in."""

    default: Annotated[C, EMPTY_IF_ABSENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredEntry(Entry[C]):
    """An entry whose conf the schema asks for."""

    default: C


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredRule(Rule[C]):
    """A rule whose conf the schema asks for."""

    default: C


# Each is `ABSENT_LIST` by default: an empty list says no more than an absent one, and is kept.
Entries = tuple[Entry[C], ...]
Rules = tuple[Rule[C], ...]
RequiredEntries = tuple[RequiredEntry[C], ...]
RequiredRules = tuple[RequiredRule[C], ...]

ConfCheck = Callable[[C, FieldPath], Iterable[Violation]]


class Targeted(Protocol):
    """A spec of any policy."""

    @property
    def target_ref(self) -> TargetRef | None: ...


class ClientList(Targeted, Protocol):
    """A spec whose entries of `from` are about some clients each."""

    @property
    def from_(self) -> Sequence[Entry[Any]]: ...


class InboundLists(Targeted, Protocol):
    """A spec whose `rules` say what `from` says."""

    @property
    def from_(self) -> tuple[object, ...]: ...
    @property
    def rules(self) -> tuple[object, ...]: ...


class ThreeLists(InboundLists, Protocol):
    """A spec with all three lists."""

    @property
    def to(self) -> tuple[object, ...]: ...


def top_ref(spec: Targeted) -> TargetRef:
    """What the policy as a whole points at; without a reference: the mesh."""
    return spec.target_ref or WHOLE_MESH


def top(
    spec: Targeted,
    kinds: tuple[str, ...],
    *,
    listener_tags: bool = True,
    inbound: bool = False,
) -> Iterator[Violation]:
    """Check the top-level reference; `inbound`: the spec has something to say on inbounds."""
    if spec.target_ref is not None:
        allowed = Allowed(kinds=kinds, listener_tags=listener_tags, section_name=inbound)
        yield from violations(spec.target_ref, allowed, SPEC.field("targetRef"))


def entries(
    items: Sequence[Entry[C]], name: str, allowed: Allowed, check: ConfCheck[C]
) -> Iterator[Violation]:
    """Check the references and the confs of the list `name`."""
    for index, item in enumerate(items):
        at = SPEC.field(name).index(index)
        yield from violations(item.target_ref, allowed, at.field("targetRef"))
        yield from check(item.default, at.field("default"))


def egress_is_shared(items: Sequence[Entry[C]], top: TargetRef) -> Iterator[Violation]:
    """One zone egress serves the clients of an external service all alike."""
    # Kuma asks for the kind alone: `Mesh` with `proxyTypes` passes.
    if top.kind == "Mesh":
        return
    for index, item in enumerate(items):
        if item.target_ref.kind == "MeshExternalService":
            at = SPEC.field("to").index(index).field("targetRef").field("kind")
            yield at.violation(_ONLY_FOR_WHOLE_MESH)


_ONLY_FOR_WHOLE_MESH: Final = (
    "kind MeshExternalService is only allowed with targetRef.kind: Mesh as it is configured on "
    "the Zone Egress and shared by all clients in the mesh"
)


def rules(items: Sequence[Rule[C]], check: ConfCheck[C]) -> Iterator[Violation]:
    for index, item in enumerate(items):
        yield from check(item.default, SPEC.field("rules").index(index).field("default"))


def must_be_empty(items: tuple[object, ...], name: str) -> Iterator[Violation]:
    if items:
        yield SPEC.field(name).violation(MUST_NOT_BE_DEFINED)


def rules_alone(spec: ThreeLists) -> Iterator[Violation]:
    """`rules` took the place of `from`: a policy uses the one form or the other."""
    # Reported once for the spec as a whole and not at the lists: either may be the mistaken one.
    if spec.rules and (spec.to or spec.from_):
        yield SPEC.violation("fields 'to' and 'from' must be empty when 'rules' is defined")


def rules_or_lists(spec: ThreeLists) -> Iterator[Violation]:
    """As `rules_alone`, of a policy that has to say something."""
    yield from rules_alone(spec)
    if not (spec.rules or spec.to or spec.from_):
        yield SPEC.violation("at least one of 'from', 'to' or 'rules' has to be defined")


def includes_gateways(ref: TargetRef) -> bool:
    """Whether builtin gateways may be among the proxies that `ref` stands for."""
    if ref.kind in {"Mesh", "MeshSubset"}:
        # Absent means every type of proxy, gateways among them.
        return not ref.proxy_types or "Gateway" in ref.proxy_types
    return ref.kind in {"MeshGateway", "MeshHTTPRoute"}


GATEWAY_HAS_NO_CLIENTS: Final = (
    "must not be defined when the scope includes a Gateway, select only proxyType Sidecar or "
    "select only gateways and use spec.to"
)

_DEPRECATED_KINDS: Final = {
    "MeshService": "MeshSubset with 'kuma.io/service' tag",
    "MeshSubset": "Dataplane with labels",
}


def top_warnings(spec: Targeted) -> Iterator[str]:
    """What is deprecated in the top-level reference (docs/wire/policies.md#warnings)."""
    kind = top_ref(spec).kind
    if kind in _DEPRECATED_KINDS:
        instead = _DEPRECATED_KINDS[kind]
        yield f"{kind} value for 'targetRef.kind' is deprecated, use {instead} instead"


def inbound_warnings(spec: InboundLists) -> Iterator[str]:
    """Of a policy that has `rules` to replace `from` by."""
    if spec.from_:
        yield "'from' field is deprecated, use 'rules' instead"
    yield from top_warnings(spec)


def client_warnings(spec: ClientList) -> Iterator[str]:
    """Of a policy whose `from` tells clients apart."""
    yield from top_warnings(spec)
    for item in spec.from_:
        if item.target_ref.kind == "MeshService":
            # This text lacks the word `tag` that the one for the top level has.
            yield (
                "MeshService value for 'from[].targetRef.kind' is deprecated, "
                "use MeshSubset with 'kuma.io/service' instead"
            )
