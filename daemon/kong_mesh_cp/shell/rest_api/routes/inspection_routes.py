"""Rules, matches, host names and insights that are made while they are asked for.

Source: docs/wire/insights.md#serviceinsight, docs/wire/insights.md#global-insight,
docs/wire/inspection.md#rules-of-a-proxy, docs/wire/inspection.md#proxies-of-a-policy,
docs/wire/inspection.md#host-names
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.large_answers import LargeAnswers
from kong_mesh_cp.shell.rest_api.list_queries import (
    next_page,
    page_query,
    service_types,
)
from kong_mesh_cp.shell.rest_api.openapi import inspection_operations as abouts
from kong_mesh_cp.shell.rest_api.responding import (
    Answer,
    json_response,
    not_on_global,
    responding,
    shown_list,
)
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.usecases.inspection.insight_views import InsightViews
from kong_mesh_cp.usecases.inspection.inspected_types import NO_POLICY
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.resource_refusals import (
    invalid,
    unreadable,
)

if TYPE_CHECKING:
    from kong_mesh_cp.usecases.data_plane.proxy_configurations import ProxyConfigurations
    from kong_mesh_cp.usecases.inspection.policy_inspector import PolicyInspector

_SERVICES = {
    TYPES[name].path: TYPES[name]
    for name in ("MeshService", "MeshExternalService", "MeshMultiZoneService")
}
_NO_SERVICE = f'only "{",".join(_SERVICES)}" are available for inspection'

TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # what Go reads as that
# Nothing is false, too.
_FALSE = frozenset({None, "", "0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRoutes:
    """`inspecting`, `configurations` are made when they are needed: much is imported for them."""

    inspecting: Callable[[], Awaitable[PolicyInspector]]
    configurations: Callable[[], Awaitable[ProxyConfigurations]]
    insights: InsightViews
    authenticate: Authenticate
    deployment: Deployment
    large: LargeAnswers = field(default_factory=LargeAnswers)

    def routes(self) -> Iterator[Route]:
        """Unsorted."""
        in_mesh = "/meshes/{mesh}"
        proxy, gateway = f"{in_mesh}/dataplanes/{{name}}", f"{in_mesh}/meshgateways/{{name}}"
        yield self._route(f"{proxy}/_rules", self._dataplane_rules, abouts.DATAPLANE_RULES)
        if self.deployment.mode is Mode.GLOBAL:
            yield self._route(f"{proxy}/_config", not_on_global, abouts.CONFIG)
            yield self._route(f"{gateway}/_config", not_on_global, abouts.GATEWAY_CONFIG)
            yield self._route(f"{proxy}/_explain", not_on_global, abouts.EXPLANATION)
        else:
            yield self._route(f"{proxy}/_explain", self._explain, abouts.EXPLANATION)
            yield self._route(f"{proxy}/_config", self._config, abouts.CONFIG)
        yield self._route(f"{gateway}/_rules", self._gateway_rules, abouts.GATEWAY_RULES)
        hostnames = f"{in_mesh}/{{type}}/{{name}}/_hostnames"
        yield self._route(hostnames, self._hostnames, abouts.HOSTNAMES)
        for resource_type in TYPES.values():
            if resource_type.name in KINDS and (
                resource_type.is_policy or resource_type.name == "MeshService"
            ):
                path = f"{in_mesh}/{resource_type.path}/{{name}}/_resources/dataplanes"
                yield self._route(
                    path, self._dataplanes(resource_type), abouts.affected(resource_type)
                )
        insights = f"{in_mesh}/service-insights"
        yield self._route(insights, self._services, abouts.SERVICES)
        yield self._route("/service-insights", self._services, abouts.ALL_SERVICES)
        yield self._route(f"{insights}/{{name}}", self._service, abouts.SERVICE)
        yield self._route("/global-insight", self._global_insight, abouts.GLOBAL_INSIGHT)
        yield self._route("/global-insights", self._global_insights, abouts.GLOBAL_INSIGHTS)

    def _route(self, path: str, answer: Answer, about: Operation) -> Route:
        return Route(path, "GET", responding(self.authenticate, answer), about)

    async def _dataplane_rules(self, user: User, request: Request) -> Response:
        mesh, name = request.captured["mesh"], request.captured["name"]
        inspecting = await self.inspecting()
        async with self.large.turn(user, request.peer):
            return await json_response(await inspecting.dataplane_rules(user, mesh, name))

    async def _explain(self, user: User, request: Request) -> Response:
        mesh, name = request.captured["mesh"], request.captured["name"]
        shadow, outbound = _shadow(request), request.query.get("outbound", "")
        inbound = _port(request.query.get("inbound", ""))
        if inbound is not None and outbound:
            raise unreadable("bad request: 'inbound' and 'outbound' exclude each other")
        configurations = await self.configurations()
        async with self.large.turn(user, request.peer):
            answer = await configurations.explained(
                user, mesh, name, inbound=inbound, outbound=outbound, shadow=shadow
            )
            return await json_response(answer)

    async def _config(self, user: User, request: Request) -> Response:
        shadow = _shadow(request)
        include = request.query.get("include")
        if include and set(include.split(",")) != {"diff"}:
            raise unreadable("bad request: unsupported value for query parameter 'include'")
        mesh, name = request.captured["mesh"], request.captured["name"]
        configurations = await self.configurations()
        async with self.large.turn(user, request.peer):
            answer = await configurations.of(user, mesh, name, shadow=shadow, diff=bool(include))
            return await json_response(answer)

    async def _gateway_rules(self, user: User, request: Request) -> Response:
        mesh, name = request.captured["mesh"], request.captured["name"]
        inspecting = await self.inspecting()
        async with self.large.turn(user, request.peer):
            return await json_response(await inspecting.gateway_rules(user, mesh, name))

    def _dataplanes(self, resource_type: ResourceType) -> Answer:
        async def dataplanes(user: User, request: Request) -> Response:
            query = page_query(request, NO_POLICY)
            mesh, name = request.captured["mesh"], request.captured["name"]
            inspecting = await self.inspecting()
            async with self.large.turn(user, request.peer):
                page = await inspecting.dataplanes(user, resource_type, mesh, name, query)
            document: dict[str, object] = {"items": list(page.items), "total": page.total}
            following = next_page(request, page)
            return await json_response(
                document if following is None else {**document, "next": following}
            )

        return dataplanes

    async def _hostnames(self, user: User, request: Request) -> Response:
        captured = request.captured
        resource_type = _SERVICES.get(captured["type"])
        if resource_type is None:
            raise invalid(_NO_SERVICE, ())
        inspecting = await self.inspecting()
        found = await inspecting.hostnames(user, resource_type, captured["mesh"], captured["name"])
        items = [
            {"hostname": name, "zones": [{"name": zone} for zone in zones]}
            for name, zones in found.items()
        ]
        return await json_response({"items": items or None, "total": len(items)})

    async def _services(self, user: User, request: Request) -> Response:
        types = service_types(request)
        query = page_query(request, "Could not paginate resources")
        page = await self.insights.services(user, request.captured.get("mesh"), query, types)
        return await shown_list(request, page)

    async def _service(self, user: User, request: Request) -> Response:
        mesh, name = request.captured["mesh"], request.captured["name"]
        return await json_response(await self.insights.service(user, mesh, name))

    async def _global_insight(self, _user: User, _request: Request) -> Response:
        return await json_response(await self.insights.global_insight())

    async def _global_insights(self, _user: User, _request: Request) -> Response:
        return await json_response(await self.insights.global_insights())


def _shadow(request: Request) -> bool:
    """Whether shadow policies count. Raises: ResourceRefusedError."""
    said = request.query.get("shadow")
    if said not in TRUE | _FALSE:
        raise unreadable("bad request: unsupported value for query parameter 'shadow'")
    return said in TRUE


def _port(text: str) -> int | None:
    """None: none was named. Raises: ResourceRefusedError."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(PORT_MAX))):
        raise unreadable("bad request: 'inbound' has to be the port of an inbound")
    return int(text)
