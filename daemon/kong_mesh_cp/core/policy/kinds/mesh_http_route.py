"""MeshHTTPRoute: which requests go where, and what is changed in them."""

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
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderMatch
from kong_mesh_cp.core.policy.spec_parts.http_filters import Filter, filter_violations
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    PROXIES,
    ROUTED,
    SPEC,
    WHOLE_MESH_ONLY,
    top,
    top_ref,
    top_warnings,
)
from kong_mesh_cp.core.policy.target_ref import Allowed, TargetRef, violations
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, OMIT_EMPTY, Length, OneOf
from kong_mesh_cp.core.schema.value_checks import MUST_NOT_BE_DEFINED, MUST_NOT_BE_EMPTY
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

# The enumeration of the Gateway API's HTTPMethod, in its order: a refusal lists it.
METHODS: Final = (
    "CONNECT",
    "DELETE",
    "GET",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "POST",
    "PUT",
    "TRACE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    """How the path of a request is compared."""

    # The schema asks only for a text; its form depends on `type` and is checked below.
    value: Annotated[str, Length(minimum=1)]
    type: Annotated[str, OneOf(("Exact", "PathPrefix", "RegularExpression"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParam:
    """How one parameter of the query is compared."""

    type: Annotated[str, OneOf(("Exact", "RegularExpression"))]
    name: Annotated[str, Length(minimum=1)]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A condition on requests: all members that are set have to hold."""

    path: PathMatch | None = None
    method: Annotated[str, OneOf(METHODS)] | None = None
    query_params: tuple[QueryParam, ...] | None = None
    headers: tuple[HeaderMatch, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConf:
    """What happens to requests that match: changes, and the shares of the backends."""

    # None differs from an empty list where confs are merged: an empty one takes the filters of a
    # less specific policy away.
    filters: tuple[Filter, ...] | None = None
    # None: the traffic goes where it was going, so that a route may only add filters.
    backend_refs: tuple[BackendRef, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Requests that fulfil one of `matches`, and what happens to them."""

    matches: Annotated[tuple[Match, ...], Length(minimum=1)]
    default: RuleConf


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """What entries say of one service: an entry without the reference to it.

    Merged confs are for one hostname at most, and without rules there is no list of them.
    """

    hostnames: Annotated[tuple[str, ...], OMIT_EMPTY] = ()
    rules: Annotated[tuple[Rule, ...], OMIT_EMPTY] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class To:
    """The rules for the traffic to one service, or of a gateway's hostnames."""

    # Only a gateway knows hostnames; for sidecars the service is the host.
    hostnames: tuple[str, ...] = ABSENT_LIST
    target_ref: TargetRef
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshHttpRoute:
    """The spec of a MeshHTTPRoute."""

    target_ref: TargetRef | None = None
    to: tuple[To, ...] = ABSENT_LIST


# What the Gateway API's converter writes for a backend that does not exist.
UNRESOLVED_BACKEND: Final = "kuma.io/unresolved-backend"
_BACKENDS: Final = Allowed(kinds=BACKENDS.kinds, names=frozenset({UNRESOLVED_BACKEND}))


def _violations(spec: MeshHttpRoute) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"))
    # The top level alone decides: a Dataplane or a MeshSubset never means a builtin gateway here.
    at_gateway = top_ref(spec).kind == "MeshGateway"
    for index, item in enumerate(spec.to):
        yield from _to(item, SPEC.field("to").index(index), at_gateway=at_gateway)


def _to(item: To, at: FieldPath, *, at_gateway: bool) -> Iterator[Violation]:
    # A route of a sidecar needs a service to take requests from; that of a gateway is reached by
    # its listeners, and there `Mesh` says so.
    allowed = WHOLE_MESH_ONLY if at_gateway else ROUTED
    yield from violations(item.target_ref, allowed, at.field("targetRef"))
    for index, rule in enumerate(item.rules):
        yield from _rule(rule, at.field("rules").index(index), at_gateway=at_gateway)
    if item.hostnames and not at_gateway:
        yield at.field("hostnames").violation(MUST_NOT_BE_DEFINED)


def _rule(rule: Rule, at: FieldPath, *, at_gateway: bool) -> Iterator[Violation]:
    for index, match in enumerate(rule.matches):
        yield from _match(match, at.field("matches").index(index))
    filters = rule.default.filters or ()
    # A rewrite of a prefix needs a prefix to rewrite in every way a request can come in.
    by_prefix = all(m.path is not None and m.path.type == "PathPrefix" for m in rule.matches)
    for index, each in enumerate(filters):
        filter_at = at.field("default").field("filters").index(index)
        yield from filter_violations(each, filter_at, by_prefix=by_prefix, at_gateway=at_gateway)
    backends = rule.default.backend_refs or ()
    refs_at = at.field("default").field("backendRefs")
    # A rule that redirects answers by itself and needs no backend. For a sidecar an absent backend
    # is the service of the entry, hence the check is for gateways alone.
    redirected = any(each.type == "RequestRedirect" for each in filters)
    if at_gateway and not backends and not redirected:
        yield refs_at.violation(MUST_NOT_BE_EMPTY)
    yield from backend_violations(backends, _BACKENDS, refs_at)


def _match(match: Match, at: FieldPath) -> Iterator[Violation]:
    if match.path is not None:
        yield from _path(match.path, at.field("path").field("value"))
    names: set[str] = set()
    for index, param in enumerate(match.query_params or ()):
        # Envoy would ask for both values of one parameter at once, which no request has.
        if param.name in names:
            name = at.field("queryParams").index(index).field("name")
            yield name.violation(f"multiple entries for name {param.name}")
        names.add(param.name)
    for index, header in enumerate(match.headers or ()):
        # An empty value passes: Go cannot tell it from an absent one after decoding.
        if header.type in {"Present", "Absent"} and header.value:
            value = at.field("headers").index(index).field("value")
            yield value.violation(MUST_NOT_BE_DEFINED)


def _path(path: PathMatch, at: FieldPath) -> Iterator[Violation]:
    # The expression is not compiled here: Envoy's RE2 is its judge, and Kuma accepts it as it is.
    if path.type == "RegularExpression" or path.value == "/":
        return
    if path.type == "PathPrefix" and path.value.endswith("/"):
        yield at.violation(
            "does not need a trailing slash because only a `/`-separated prefix or an entire "
            "path is matched"
        )
    if not path.value.startswith("/"):
        yield at.violation("must be an absolute path")


KIND: Final = policy_kind("MeshHTTPRoute", MeshHttpRoute, Conf, _violations, top_warnings)
