"""Access to what is no resource: the configuration and the license of the control plane."""

from __future__ import annotations

from http import HTTPStatus

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.access import AccessRules, Action, Operation, View, require
from kong_mesh_cp.core.identity.audit import Reloaded
from kong_mesh_cp.core.identity.users import User, is_open_to_all
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.rest_api.auditing import asked_from
from kong_mesh_cp.shell.rest_api.responding import authenticated
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.shell.rest_api.write_queries import require_no_flags
from kong_mesh_cp.usecases.identity.auditing import tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Put before a handler, each answers in its place who may not get to it."""

    authenticate: Authenticate
    access: AccessRules

    def anybody(self, handler: Handler) -> Handler:
        """For everybody but those whose token proves nothing, where tokens are looked at."""
        known = self._guarded(None, handler)

        async def answer(request: Request) -> Response | StreamingResponse:
            if is_open_to_all(request.method, request.path):
                return await handler(request)
            return await known(request)

        return answer

    def config(self, handler: Handler) -> Handler:
        return self._guarded(View.METADATA, handler)

    def full_license(self, handler: Handler) -> Handler:
        return self._guarded(Operation.SHOW_LICENSE, handler)

    def license_reload(self, handler: Handler) -> Handler:
        return self._guarded(Operation.RELOAD_LICENSE, handler)

    def _guarded(self, action: Action | None, handler: Handler) -> Handler:
        async def answer(user: User, request: Request) -> Response | StreamingResponse:
            if action is not None:
                require(self.access, user, action)
            if action is Operation.RELOAD_LICENSE:
                require_no_flags(request)
            response = await handler(request)
            if action is Operation.RELOAD_LICENSE:
                usable = response.status == HTTPStatus.OK
                tell(Reloaded(user=user, usable=usable), asked_from(request))
            return response

        return authenticated(self.authenticate, answer)
