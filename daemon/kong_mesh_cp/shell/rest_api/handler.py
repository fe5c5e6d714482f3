"""The HTTP API on 5681: index, license, configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.base_path import redirecting_to_clean_paths
from kong_mesh_cp.shell.rest_api.capabilities import CAPABILITIES
from kong_mesh_cp.shell.rest_api.problem import InvalidParameter, kuma_error
from kong_mesh_cp.shell.rest_api.routes.openapi_routes import document_routes
from kong_mesh_cp.shell.rest_api.unrouted import OF_ROUTER, explaining_router
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome

_FULL = "full"  # the view of the license for administrators


class Guards(Protocol):
    """Each puts before a handler the question who asks, and whether they may."""

    def anybody(self, handler: Handler, /) -> Handler: ...
    def config(self, handler: Handler, /) -> Handler: ...
    def full_license(self, handler: Handler, /) -> Handler: ...
    def license_reload(self, handler: Handler, /) -> Handler: ...


# These take whatever is sent, and answer as they do.
_INDEX = Operation(
    id="getIndex",
    summary="What control plane this is",
    tag="Control plane",
    answers=("Index",),
    negotiates=False,
    authenticates=False,
)
_CONFIG = Operation(
    id="getConfig",
    summary="The settings in force",
    tag="Control plane",
    answers=("Config",),
    negotiates=False,
)
_LICENSE = Operation(
    id="getLicense",
    summary="The license in force",
    tag="License",
    answers=("License", "FullLicense"),
    query=("view",),
    negotiates=False,
)
_RELOAD = Operation(
    id="reloadLicense",
    summary="Read the license's sources again",
    tag="License",
    answers=("LicenseReload",),
    refuses=(409,),
    negotiates=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What the control plane says of itself to everybody."""

    version: str
    cluster_id: str
    hostname: str
    instance_id: str
    gui: str = ""  # path of the GUI; empty when there is none

    def document(self) -> dict[str, object]:
        """Members in the order of Kuma's clients' fixtures, and one that Kuma has not."""
        return {
            "basedOnKuma": self.version,
            "clusterId": self.cluster_id,
            "gui": self.gui,
            "hostname": self.hostname,
            "instanceId": self.instance_id,
            "product": "Kong Mesh",
            "version": self.version,
            "capabilities": [*CAPABILITIES],
        }


@dataclass(slots=True, kw_only=True)
class RestApi:
    """The endpoints. What is shown is what is true now."""

    index: Index
    public_license: Callable[[], Mapping[str, object]]
    full_license: Callable[[], Mapping[str, object]]
    reload_license: Callable[[], Awaitable[ReloadOutcome]]
    config: Callable[[], bytes]  # effective, as JSON text, secrets masked

    def handler(self, guards: Guards, resources: Iterable[Route] = ()) -> Handler:
        """All routes, with those of `resources`, in any order. A slash at the end is ignored, a
        path with doubled slashes or dots is redirected to the clean one.
        """
        router = explaining_router(self.table(guards, resources))

        async def handle(request: Request) -> Response | StreamingResponse:
            request.path = request.path.rstrip("/") or "/"
            response = await router(request)
            if response.status in OF_ROUTER and "authorization" in request.headers:
                # Kuma asks who it is before it looks for a route.
                return await guards.anybody(_already(response))(request)
            return response

        return redirecting_to_clean_paths(handle)

    def _license(self, guards: Guards) -> Handler:
        public, full = guards.anybody(self.show_license), guards.full_license(self.show_full)

        async def show(request: Request) -> Response | StreamingResponse:
            wants_full = request.query.get("view") == _FULL
            return await (full if wants_full else public)(request)

        return show

    def table(self, guards: Guards, resources: Iterable[Route] = ()) -> Sequence[Route]:
        """All routes with those of `resources` and of their document, sorted."""
        routes = [
            Route("/", "GET", self.show_index, _INDEX),
            Route("/config", "GET", guards.config(self.show_config), _CONFIG),
            Route("/license", "GET", self._license(guards), _LICENSE),
            Route("/license/reload", "POST", guards.license_reload(self.reload), _RELOAD),
            *resources,
        ]
        routes.extend([*document_routes(routes)])
        return sorted(routes, key=lambda route: (route.path, route.method))

    async def show_index(self, _: Request) -> Response:
        return Response(200, json_text(self.index.document()))

    async def show_config(self, _: Request) -> Response:
        return Response(200, self.config())

    async def show_license(self, request: Request) -> Response:
        """The documented four fields."""
        if "view" in request.query:
            return _unknown_view()
        return Response(200, json_text(self.public_license()))

    async def show_full(self, _: Request) -> Response:
        return Response(200, json_text(self.full_license()))

    async def reload(self, _: Request) -> Response:
        """Read the license's sources again and say what came of it.

        What cannot be used is 409, not 422: the request has no content that could be wrong; it
        conflicts with the state of the sources, and the same request succeeds once they are mended.
        """
        outcome = await self.reload_license()
        if outcome.error is not None:
            error = outcome.error
            extras = {"code": error.code, "hint": error.hint, "result": outcome.result}
            title = "Could not reload the license"
            return Response(409, kuma_error(409, title, error.message, extras=extras))
        return Response(200, json_text(outcome.document()))


def _already(response: Response | StreamingResponse) -> Handler:
    async def answer(_: Request) -> Response | StreamingResponse:
        return response

    return answer


def _unknown_view() -> Response:
    wrong = InvalidParameter("view", f"must be one of: {_FULL}")
    detail = "the license has no such view"
    return Response(400, kuma_error(400, "Bad Request", detail, invalid_parameters=[wrong]))
