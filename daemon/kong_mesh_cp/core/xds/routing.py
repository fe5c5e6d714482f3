"""Which route a request, or a connection, takes to which clusters: the routes of one outbound.

Source: docs/wire/envoy-policies.md#routes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.kinds import mesh_http_route, mesh_tcp_route
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.spec_parts.http_filters import Filter
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.xds.services.backends import Backend, Backends, Destined

Match = mesh_http_route.Match

Origins = Mapping[str, Meta]
"""The policy that the references of a rule are from, by the hash of its matches."""

NO_ORIGINS: Final[Origins] = {}
WITHOUT_MATCHES: Final = ""  # the hash of a rule that has none, as those of connections

_ANY_PATH: Final = mesh_http_route.PathMatch(value="/", type="PathPrefix")
CATCH_ALL: Final = Match(path=_ANY_PATH)
_CATCH_ALL_HASH: Final = matches_hash([{"path": {"value": "/", "type": "PathPrefix"}}])
# The more exact comes first.
_PATH_RANKS: Final = {"Exact": 0, "PathPrefix": 1, "RegularExpression": 2}


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


def http_routes(
    conf: TypedConf | None, own: Destined, backends: Backends, origins: Origins = NO_ORIGINS
) -> tuple[Route, ...]:
    """In the order in which they are tried. `own` is the destination itself, where traffic goes
    that no rule sends elsewhere. `origins`: the policies that the references are from, by the hash
    of a rule's matches. Empty: there is nowhere to send requests.
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
        name = matches_hash([records.render(each) for each in rule.matches])
        sent_to = backends.of_refs(rule.default.backend_refs or (), origins.get(name), own)
        if not sent_to:
            continue
        mirrors = tuple(_mirrors(rule, backends, origins.get(name)))
        routes.append(Route(name, rule_index, match_index, sent_to, mirrors))
    if all(match != CATCH_ALL for _, _, match in places):
        sent_to = backends.of_refs((), None, own)
        if sent_to:
            routes.append(Route(_CATCH_ALL_HASH, None, 0, sent_to))
    return tuple(routes)


def tcp_backends(
    conf: TypedConf | None, own: Destined, backends: Backends, origins: Origins = NO_ORIGINS
) -> tuple[Backend, ...] | None:
    """Where connections go. Empty: nowhere; None: what is said of it refers to nothing."""
    if conf is None:
        return backends.of_refs((), None, own)
    route = conf.of_kind(mesh_tcp_route.Conf)
    refs = () if route.default is None else route.default.backend_refs or ()
    meant = backends.meant(refs, origins.get(WITHOUT_MATCHES))
    return backends.shares(meant) if meant else None


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
    return conf.of_kind(mesh_http_route.Conf).rules


def _mirrors(
    rule: mesh_http_route.Rule, backends: Backends, origin: Meta | None
) -> Iterator[Backend | None]:
    for each in rule.default.filters or ():
        if each.request_mirror is not None and each.type == "RequestMirror":
            ref = each.request_mirror.backend_ref
            to = backends.meant_by(ref, origin)
            yield None if to is None else backends.to(to, ref.weight)


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
