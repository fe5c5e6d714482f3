"""Older paths of inspection: attachments, rules, zones, and what Envoy says.

Source: docs/wire/inspection.md#older-paths, docs/wire/inspection.md#envoy-admin,
docs/wire/resource-api.md#routes
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.access import View
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.large_answers import LargeAnswers
from kong_mesh_cp.shell.rest_api.openapi import inspection_operations as abouts
from kong_mesh_cp.shell.rest_api.responding import Answer, json_response, responding
from kong_mesh_cp.shell.rest_api.routes.inspection_routes import TRUE
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.usecases.inspection.envoy_admin import EnvoyAdmin, Question
from kong_mesh_cp.usecases.inspection.insight_views import InsightViews
from kong_mesh_cp.usecases.inspection.inspected_types import ATTACHED, GATEWAY, GATEWAY_ROUTE

if TYPE_CHECKING:
    from kong_mesh_cp.usecases.inspection.attachment_inspector import AttachmentInspector

_ADMIN_VIEWS: Final = {"clusters": View.CLUSTERS, "stats": View.STATS, "xds": View.CONFIG_DUMP}
_ADMIN_PATHS: Final = {
    "Dataplane": "/meshes/{mesh}/dataplanes/{name}",
    "ZoneIngress": "/zoneingresses/{name}",
    "ZoneEgress": "/zoneegresses/{name}",
}

_Ask = Callable[[User, str, str], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRoutes:
    """`attaching` is made when it is needed: much is imported for it."""

    attaching: Callable[[], Awaitable[AttachmentInspector]]
    admin: EnvoyAdmin
    insights: InsightViews
    authenticate: Authenticate
    large: LargeAnswers = field(default_factory=LargeAnswers)

    def routes(self) -> Iterator[Route]:
        """Unsorted."""
        in_mesh = "/meshes/{mesh}"
        dataplane = f"{in_mesh}/dataplanes/{{name}}"
        policies = self._of_mesh(lambda attaching: attaching.policies_of_dataplane)
        yield self._route(f"{dataplane}/policies", policies, abouts.POLICIES)
        rules = self._of_mesh(lambda attaching: attaching.rules_of_dataplane)
        yield self._route(f"{dataplane}/rules", rules, abouts.RULES)
        affected = {TYPES[name]: self._affected(TYPES[name]) for name in ATTACHED}
        affected[TYPES[GATEWAY]] = self._of_mesh(lambda attaching: attaching.dataplanes_of_gateway)
        affected[TYPES[GATEWAY_ROUTE]] = self._of_mesh(
            lambda attaching: attaching.dataplanes_of_route
        )
        for resource_type, answer in affected.items():
            path = f"{in_mesh}/{resource_type.path}/{{name}}/dataplanes"
            yield self._route(path, answer, abouts.attached(resource_type))
        yield self._route("/status/zones", self._zones, abouts.ZONES)
        for type_name, path in _ADMIN_PATHS.items():
            for last, view in _ADMIN_VIEWS.items():
                about = abouts.envoy(TYPES[type_name], last)
                yield self._route(f"{path}/{last}", self._admin(type_name, view), about)

    def _route(self, path: str, answer: Answer, about: Operation) -> Route:
        return Route(path, "GET", responding(self.authenticate, answer), about)

    def _affected(self, resource_type: ResourceType) -> Answer:
        def question(attaching: AttachmentInspector) -> _Ask:
            return lambda user, mesh, name: attaching.dataplanes_of_policy(
                user, resource_type, mesh, name
            )

        return self._of_mesh(question)

    def _of_mesh(self, question: Callable[[AttachmentInspector], _Ask]) -> Answer:
        """For a path that names a mesh and a resource of it."""

        async def answer(user: User, request: Request) -> Response:
            ask = question(await self.attaching())
            mesh, name = request.captured["mesh"], request.captured["name"]
            async with self.large.turn(user, request.peer):
                return await json_response(await ask(user, mesh, name))

        return answer

    def _admin(self, type_name: str, view: View) -> Answer:
        async def ask(user: User, request: Request) -> Response:
            mesh, name = request.captured.get("mesh", ""), request.captured["name"]
            question = Question(
                view=view,
                include_endpoints=request.query.get("include_eds") in TRUE,
                as_json=request.query.get("format") == "json",
            )
            async with self.large.turn(user, request.peer):
                told = await self.admin.ask(user, type_name, mesh, name, question)
            content_type = "application/json" if told.is_json else "text/plain"
            return Response(200, told.body, content_type)

        return ask

    async def _zones(self, _user: User, _request: Request) -> Response:
        return await json_response(await self.insights.zones())
