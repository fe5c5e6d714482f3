"""The HTTP API on 5681: index, license, configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from kong_mesh_cp.core.wire.json_text import json_text
from kong_mesh_cp.core.wire.localhost import is_localhost
from kong_mesh_cp.core.wire.problem import InvalidParameter, kuma_error
from kong_mesh_cp.shell.http.messages import Handler, HeldResponse, Request, Response
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router
from kong_mesh_cp.shell.rest_api.errors import access_denied
from kong_mesh_cp.usecases.licensing import ReloadOutcome

_VIEWS = ("full",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What the control plane says of itself to everybody."""

    version: str
    cluster_id: str
    hostname: str
    instance_id: str
    gui: str = ""  # path of the GUI; empty when there is none

    def document(self) -> dict[str, object]:
        """Members in the order of Kuma's clients' fixtures."""
        return {
            "basedOnKuma": self.version,
            "clusterId": self.cluster_id,
            "gui": self.gui,
            "hostname": self.hostname,
            "instanceId": self.instance_id,
            "product": "Kong Mesh",
            "version": self.version,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RestApi:
    """The endpoints. What is shown is what is true now."""

    index: Index
    localhost_is_admin: bool  # otherwise nobody is, as long as there are no tokens
    public_license: Callable[[], Mapping[str, object]]
    full_license: Callable[[], Mapping[str, object]]
    reload_license: Callable[[], Awaitable[ReloadOutcome]]
    config: Callable[[], bytes]  # effective, as JSON text, secrets masked

    def handler(self, resources: Iterable[Route] = ()) -> Handler:
        """All routes, with those of `resources`, in any order. A slash at the end is ignored."""
        own = (
            Route("/", "GET", self.show_index),
            Route("/config", "GET", self.show_config),
            Route("/license", "GET", self.show_license),
            Route("/license/reload", "POST", self.reload),
        )
        routes = sorted((*own, *resources), key=lambda route: (route.path, route.method))
        router = Router(routes, error_body=plain_text_error)

        async def handle(request: Request) -> Response | HeldResponse:
            request.path = request.path.rstrip("/") or "/"
            return await router(request)

        return handle

    async def show_index(self, _: Request) -> Response:
        return Response(200, json_text(self.index.document()))

    async def show_config(self, request: Request) -> Response:
        if not self._is_admin(request):
            return access_denied("control-plane metadata")
        return Response(200, self.config())

    async def show_license(self, request: Request) -> Response:
        """The documented four fields for everybody; all of it for an administrator who asks."""
        view = request.query.get("view")
        if view is None:
            return Response(200, json_text(self.public_license()))
        if view not in _VIEWS:
            return _unknown_view()
        if not self._is_admin(request):
            return access_denied("the full license")
        return Response(200, json_text(self.full_license()))

    async def reload(self, request: Request) -> Response:
        """Read the license's sources again and say what came of it.

        What cannot be used is 409, not 422: the request has no content that could be wrong; it
        conflicts with the state of the sources, and the same request succeeds once they are mended.
        """
        if not self._is_admin(request):
            return access_denied("the reload of the license")
        outcome = await self.reload_license()
        if outcome.error is not None:
            error = outcome.error
            extras = {"code": error.code, "hint": error.hint, "result": outcome.result}
            title = "Could not reload the license"
            return Response(409, kuma_error(409, title, error.message, extras=extras))
        return Response(200, json_text(outcome.document()))

    def _is_admin(self, request: Request) -> bool:
        address = request.peer.address
        peer_ip = address[0] if address else None
        return self.localhost_is_admin and is_localhost(peer_ip, request.headers)


def _unknown_view() -> Response:
    wrong = InvalidParameter("view", f"must be one of: {', '.join(_VIEWS)}")
    detail = "the license has no such view"
    return Response(400, kuma_error(400, "Bad Request", detail, invalid_parameters=[wrong]))
