"""Which route a request, or a connection, takes to which clusters: the routes of one outbound.

Source: docs/wire/envoy-policies.md#routes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.kinds import mesh_http_route, mesh_tcp_route
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.spec_parts.backend_refs import BackendRef
from kong_mesh_cp.core.policy.spec_parts.http_filters import Filter
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.xds.matching import TypedConf
from kong_mesh_cp.core.xds.world import TagPairs, pairs

Match = mesh_http_route.Match

_ANY_PATH: Final = mesh_http_route.PathMatch(value="/", type="PathPrefix")
CATCH_ALL: Final = Match(path=_ANY_PATH)
_CATCH_ALL_HASH: Final = matches_hash([{"path": {"value": "/", "type": "PathPrefix"}}])
# The more exact comes first.
_PATH_RANKS: Final = {"Exact": 0, "PathPrefix": 1, "RegularExpression": 2}


@dataclass(frozen=True, slots=True)
class Backend:
    """A share of the traffic, for the instances of a service that carry `tags`."""

    tags: TagPairs
    weight: int

    @property
    def service(self) -> str:
        return dict(self.tags)[SERVICE]


@dataclass(frozen=True, slots=True)
class Route:
    """Requests that fulfil one match of one rule. `rule` and `match` are its places in the conf,
    None: the one that takes what no other takes.
    """

    name: str  # the hash of all matches of the rule
    rule: int | None
    match: int
    backends: tuple[Backend, ...]
    # One for each filter that mirrors; None: what it names cannot be the backend of a route.
    mirrors: tuple[Backend | None, ...] = ()


Carried = Callable[[str], bool]
"""Whether a service of this name can be the backend of the routes."""


def http_routes(conf: TypedConf | None, own: TagPairs, carried: Carried) -> tuple[Route, ...]:
    """In the order in which they are tried. `own` are the tags of the destination itself, where
    traffic goes that no rule sends elsewhere. Empty: there is nowhere to send requests.
    """
    rules = () if conf is None else _rules(conf)
    places = [
        (rule_index, match_index, match)
        for rule_index, rule in enumerate(rules)
        for match_index, match in enumerate(rule.matches)
    ]
    places.sort(key=lambda place: _precedence(place[2]))
    routes: list[Route] = []
    for rule_index, match_index, _ in places:
        rule = rules[rule_index]
        backends = tuple(_backends(rule.default.backend_refs or (), carried))
        if not rule.default.backend_refs:
            backends = tuple(_own(own, carried))
        if not backends:
            continue
        mirrors = tuple(_mirrors(rule, carried))
        name = matches_hash([records.render(each) for each in rule.matches])
        routes.append(Route(name, rule_index, match_index, backends, mirrors))
    if all(match != CATCH_ALL for _, _, match in places):
        backends = tuple(_own(own, carried))
        if backends:
            routes.append(Route(_CATCH_ALL_HASH, None, 0, backends))
    return tuple(routes)


def tcp_backends(conf: TypedConf | None, own: TagPairs, carried: Carried) -> tuple[Backend, ...]:
    """Where connections go. Empty: nowhere."""
    if conf is None:
        return tuple(_own(own, carried))
    route = conf.value
    assert isinstance(route, mesh_tcp_route.Conf)  # noqa: S101 — of the type that was matched
    refs = () if route.default is None else route.default.backend_refs or ()
    return tuple(_backends(refs, carried))


def match_of(conf: TypedConf | None, route: Route) -> Match:
    """With a path, which Envoy asks for."""
    if conf is None or route.rule is None:
        return CATCH_ALL
    match = _rules(conf)[route.rule].matches[route.match]
    if match.path is not None:
        return match
    return Match(
        path=_ANY_PATH,
        method=match.method,
        query_params=match.query_params,
        headers=match.headers,
    )


def filters_of(conf: TypedConf | None, route: Route) -> tuple[Filter, ...]:
    if conf is None or route.rule is None:
        return ()
    return _rules(conf)[route.rule].default.filters or ()


def _rules(conf: TypedConf) -> tuple[mesh_http_route.Rule, ...]:
    assert isinstance(conf.value, mesh_http_route.Conf)  # noqa: S101 — of the type that was matched
    return conf.value.rules


def _own(tags: TagPairs, carried: Carried) -> Iterator[Backend]:
    if carried(dict(tags)[SERVICE]):
        yield Backend(tags, 100)


def _backends(refs: Iterable[BackendRef], carried: Carried) -> Iterator[Backend]:
    for ref in refs:
        if ref.weight and is_by_tags(ref) and carried(ref.name):
            yield Backend(tags_of_backend(ref), ref.weight)


def is_by_tags(ref: BackendRef) -> bool:
    """It means instances of a service by tags, not a resource."""
    if ref.kind == "MeshService":
        return not (ref.labels or ref.namespace or ref.section_name or ref.port)
    return ref.kind == "MeshServiceSubset"


def tags_of_backend(ref: BackendRef) -> TagPairs:
    return pairs({**ref.tags, SERVICE: ref.name})


def _mirrors(rule: mesh_http_route.Rule, carried: Carried) -> Iterator[Backend | None]:
    for each in rule.default.filters or ():
        if each.request_mirror is not None and each.type == "RequestMirror":
            yield next(_backends((each.request_mirror.backend_ref,), carried), None)


def _precedence(match: Match) -> tuple[int, ...]:
    """As the Gateway API has it: the path first; what asks for more before what asks for less."""
    path = match.path
    if path is None:
        by_path = (len(_PATH_RANKS), 0)
    else:
        # Exact paths are all alike.
        length = 0 if path.type == "Exact" else -len(path.value.encode())
        by_path = (_PATH_RANKS[path.type], length)
    return (
        *by_path,
        int(match.method is None),
        -len(match.headers or ()),
        -len(match.query_params or ()),
    )
