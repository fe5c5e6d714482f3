"""Routes of a gateway, as rules of MeshHTTPRoutes and MeshTCPRoutes say them.

Source: docs/wire/gateways.md#routes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.policy.kinds import mesh_http_route, mesh_tcp_route
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.spec_parts.backend_refs import BackendRef
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderMatch
from kong_mesh_cp.core.policy.spec_parts.http_filters import (
    Filter,
    HeaderModifier,
    PathRewrite,
    RequestMirror,
    RequestRedirect,
    UrlRewrite,
)
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.schema.value_checks import decimal
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    NOWHERE,
    GatewayDestination,
    GatewayRoute,
    HeaderChanges,
    Mirror,
    Pair,
    PathChange,
    Redirect,
    RequestMatch,
    Rewrite,
)
from kong_mesh_cp.core.xds.gateways.route_tables import gateway_cluster
from kong_mesh_cp.core.xds.protocols import HTTP, TCP
from kong_mesh_cp.core.xds.routing import WITHOUT_MATCHES, Origins
from kong_mesh_cp.core.xds.services.backends import Backends, Destined, ServiceKey, tags_of_backend
from kong_mesh_cp.core.xds.services.instances import TagPairs
from kong_mesh_cp.core.xds.world import MeshWorld

ALL_REQUESTS: Final = 100  # per cent, of which a mirror gets a copy where nothing is said


class GatewayBackends:
    """Makes the destinations of one host of a gateway."""

    def __init__(self, world: MeshWorld, host_tags: TagPairs, asked: set[ServiceKey]) -> None:
        """`asked` gets the services that were asked about."""
        self._world = world
        self._host_tags = host_tags
        self._backends = Backends(world, lambda _: True, asked)

    def of_ref(self, ref: BackendRef, origin: Meta | None, protocol: str) -> GatewayDestination:
        """Of a reference in the policy `origin`, from a route of `protocol`."""
        found = self._to(self._backends.meant_by(ref, origin), protocol)
        return replace(found, weight=ref.weight)

    def of_tags(self, tags: TagPairs) -> GatewayDestination:
        """Of a mirror, which knows services by their tags alone."""
        return self._to(tags, HTTP)

    def _to(self, to: Destined | None, protocol: str) -> GatewayDestination:
        tags = () if to is None else self._tags(to)
        if dict(tags).get(SERVICE, NOWHERE) in ("", NOWHERE):
            return GatewayDestination(to=None, protocol=protocol)
        cluster = gateway_cluster(tags, self._host_tags)
        return GatewayDestination(to=to, protocol=protocol, cluster=cluster, tags=tags)

    def _tags(self, to: Destined) -> TagPairs:
        """By which a destination is known; (): there is no such service, or it has no such port."""
        if not isinstance(to, DestinationId):
            self._backends.asked.add(dict(to)[SERVICE])
            return to
        self._backends.asked.add(to._replace(section_name=""))
        found = self._world.services.find(to)
        port = None if found is None else found.port(to.section_name)
        return () if found is None or port is None else ((SERVICE, found.cluster(port.number)),)


def tcp_route(
    origin: str, conf: mesh_tcp_route.Conf, origins: Origins, backends: GatewayBackends
) -> GatewayRoute:
    """`origins` are the policies that references are from."""
    refs = () if conf.default is None else conf.default.backend_refs or ()
    source = origins.get(WITHOUT_MATCHES)
    return GatewayRoute(
        origin=origin, destinations=tuple(backends.of_ref(each, source, TCP) for each in refs)
    )


def http_routes(
    origin: str, rule: mesh_http_route.Rule, origins: Origins, backends: GatewayBackends
) -> Iterator[GatewayRoute]:
    """One for each match. `origins` are the policies that references are from, by the hash of a
    rule's matches.
    """
    name = matches_hash([records.render(each) for each in rule.matches])
    source = origins.get(name)
    refs = rule.default.backend_refs or ()
    route = GatewayRoute(
        origin=origin,
        name=name,
        destinations=tuple(backends.of_ref(each, source, HTTP) for each in refs),
    )
    for each in rule.default.filters or ():
        route = _filtered(route, each, backends)
    for match in rule.matches:
        yield replace(route, match=_match(match))


def _filtered(route: GatewayRoute, each: Filter, backends: GatewayBackends) -> GatewayRoute:
    """`route` with what the filter says; of most kinds the last one counts."""
    match each:
        case Filter(request_redirect=RequestRedirect() as redirect):
            return replace(route, redirect=_redirect(redirect))
        case Filter(request_mirror=RequestMirror() as mirror):
            return replace(route, mirror=_mirror(mirror, backends) or route.mirror)
        case Filter(request_header_modifier=HeaderModifier() as modifier):
            return replace(route, request_headers=_headers(route.request_headers, modifier))
        case Filter(response_header_modifier=HeaderModifier() as modifier):
            return replace(route, response_headers=_headers(route.response_headers, modifier))
        case Filter(url_rewrite=UrlRewrite() as rewrite):
            return replace(route, rewrite=_rewrite(rewrite))
        case _:
            return route


def _redirect(said: RequestRedirect) -> Redirect:
    return Redirect(
        status=said.status_code,
        scheme=said.scheme or "",
        host=said.hostname or "",
        port=said.port or 0,
        path=None if said.path is None else _path_change(said.path),
    )


def _rewrite(said: UrlRewrite) -> Rewrite:
    return Rewrite(
        path=PathChange() if said.path is None else _path_change(said.path),
        to_backend_host=bool(said.host_to_backend_hostname),
        host=said.hostname,
    )


def _path_change(said: PathRewrite) -> PathChange:
    if said.type == "ReplaceFullPath":
        return PathChange(full=said.replace_full_path)
    return PathChange(prefix=said.replace_prefix_match)


def _mirror(said: RequestMirror, backends: GatewayBackends) -> Mirror | None:
    """None: what it names is no service."""
    share = decimal(ALL_REQUESTS if said.percentage is None else said.percentage)
    to = backends.of_tags(tags_of_backend(said.backend_ref))
    return None if share is None or to.to is None else Mirror(to=to, percentage=float(share))


def _headers(before: HeaderChanges | None, said: HeaderModifier) -> HeaderChanges:
    before = before or HeaderChanges()
    return HeaderChanges(
        replaced=(*before.replaced, *(Pair(each.name, each.value) for each in said.set or ())),
        appended=(*before.appended, *(Pair(each.name, each.value) for each in said.add or ())),
        deleted=(*before.deleted, *(said.remove or ())),
    )


def _path(said: mesh_http_route.PathMatch | None) -> RequestMatch:
    match said:
        case mesh_http_route.PathMatch(type="Exact", value=path):
            return RequestMatch(exact_path=path)
        case mesh_http_route.PathMatch(type="PathPrefix", value=path):
            return RequestMatch(prefix_path=path)
        case mesh_http_route.PathMatch(value=path):
            return RequestMatch(regex_path=path)
        case _:
            return RequestMatch(prefix_path="/")  # Envoy asks for a path


def _match(said: mesh_http_route.Match) -> RequestMatch:
    by_type: dict[str, list[HeaderMatch]] = {}
    for header in said.headers or ():
        by_type.setdefault(header.type or "Exact", []).append(header)
    parameters = said.query_params or ()
    return replace(
        _path(said.path),
        method=said.method or "",
        exact_headers=_pairs(by_type.get("Exact", ())),
        regex_headers=_pairs(by_type.get("RegularExpression", ())),
        absent_headers=tuple(each.name for each in by_type.get("Absent", ())),
        present_headers=tuple(each.name for each in by_type.get("Present", ())),
        prefix_headers=_pairs(by_type.get("Prefix", ())),
        exact_parameters=_pairs(each for each in parameters if each.type == "Exact"),
        regex_parameters=_pairs(each for each in parameters if each.type != "Exact"),
    )


def _pairs(said: Iterable[HeaderMatch | mesh_http_route.QueryParam]) -> tuple[Pair, ...]:
    return tuple(Pair(each.name, each.value or "") for each in said)
