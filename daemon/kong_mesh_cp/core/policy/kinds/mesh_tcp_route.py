"""MeshTCPRoute: where connections to a service go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.backend_refs import (
    BACKENDS,
    BackendRef,
    backend_violations,
)
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    PROXIES,
    ROUTED,
    SPEC,
    WHOLE_MESH_ONLY,
    top,
    top_ref,
    top_warnings,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef, violations
from kong_mesh_cp.core.schema.record_terms import Length
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConf:
    """The backends that connections are shared among."""

    backend_refs: tuple[BackendRef, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The one rule of a TCP route: there is nothing to match connections by."""

    default: RuleConf


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """What entries say of one service: their first rule, or the service itself without one."""

    default: RuleConf | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class To:
    """The route of the connections to one service."""

    target_ref: TargetRef
    # At most one: connections of one service do not differ before they are routed.
    rules: Annotated[tuple[Rule, ...], Length(maximum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTcpRoute:
    """The spec of a MeshTCPRoute."""

    target_ref: TargetRef | None = None
    # None is accepted and an empty list is not: the schema counts items only of a list that is
    # there.
    to: Annotated[tuple[To, ...], Length(minimum=1)] | None = None


def _violations(spec: MeshTcpRoute) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"))
    # See MeshHTTPRoute: a gateway is reached by listener, a sidecar by service.
    allowed = WHOLE_MESH_ONLY if top_ref(spec).kind == "MeshGateway" else ROUTED
    for index, item in enumerate(spec.to or ()):
        at = SPEC.field("to").index(index)
        yield from violations(item.target_ref, allowed, at.field("targetRef"))
        for position, rule in enumerate(item.rules):
            yield from _conf(rule.default, at.field("rules").index(position).field("default"))


def _conf(conf: RuleConf, default: FieldPath) -> Iterator[Violation]:
    at = default.field("backendRefs")
    # There are no filters as in HTTP routes, so a rule without backends would do nothing.
    if not conf.backend_refs:
        yield at.violation(MUST_BE_DEFINED)
    yield from backend_violations(conf.backend_refs or (), BACKENDS, at)


KIND: Final = policy_kind("MeshTCPRoute", MeshTcpRoute, Conf, _violations, top_warnings)
