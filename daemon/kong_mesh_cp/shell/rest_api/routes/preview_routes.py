"""What writes would do, asked before they are made: `POST /_preview`.

Source: docs/wire/inspection.md#what-a-change-would-do
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.capabilities import STRICT
from kong_mesh_cp.shell.rest_api.large_answers import LargeAnswers
from kong_mesh_cp.shell.rest_api.openapi.inspection_operations import PREVIEW
from kong_mesh_cp.shell.rest_api.responding import (
    json_response,
    not_on_global,
    of_secrets,
    responding,
)
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.shell.rest_api.write_queries import write_flags
from kong_mesh_cp.usecases.resources.resource_refusals import unreadable

if TYPE_CHECKING:
    from kong_mesh_cp.usecases.data_plane.previewing import verdicts
    from kong_mesh_cp.usecases.data_plane.previewing.previewing import Previewing
else:  # hardly anybody asks
    verdicts = lazy_import("kong_mesh_cp.usecases.data_plane.previewing.verdicts")

PATH: Final = "/_preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRoutes:
    """`previewing` is made when it is needed: much is imported for it."""

    previewing: Callable[[], Awaitable[Previewing]]
    authenticate: Authenticate
    deployment: Deployment
    large: LargeAnswers = field(default_factory=LargeAnswers)

    def routes(self) -> Iterator[Route]:
        # The proxies of a global control plane are those of zones, which know them.
        answer = not_on_global if self.deployment.mode is Mode.GLOBAL else self._preview
        yield Route(PATH, "POST", responding(self.authenticate, of_secrets(answer)), PREVIEW)

    async def _preview(self, user: User, request: Request) -> Response:
        flags = write_flags(request, STRICT)
        async with self.large.turn(user, request.peer):
            try:
                body = strict_json.parse(request.body)
            except strict_json.StrictJsonError as error:
                raise unreadable(f"the body is no JSON: {error.message}") from None
            previewing = await self.previewing()
            asked = verdicts.asked_for(body)
            return await json_response(
                await previewing.preview(user, asked, strict=STRICT in flags)
            )
