"""The routes of resources without sockets: requests in, responses out."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from kong_mesh_cp.compose.lazy import lazy
from kong_mesh_cp.core.identity.access import AccessRules, StaticAccess
from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, Requester, User
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.xds.indexed_mesh import WorldRules
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms
from kong_mesh_cp.shell.envoy_admin.calls import HttpAdminCalls
from kong_mesh_cp.shell.http.h1.targets import split_target
from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.routes.attachment_routes import AttachmentRoutes
from kong_mesh_cp.shell.rest_api.routes.inspection_routes import InspectionRoutes
from kong_mesh_cp.shell.rest_api.routes.key_routes import KeyRoutes
from kong_mesh_cp.shell.rest_api.routes.preview_routes import PreviewRoutes
from kong_mesh_cp.shell.rest_api.routes.resource_routes import ResourceRoutes, Writable
from kong_mesh_cp.shell.rest_api.routes.token_routes import TokenRoutes
from kong_mesh_cp.shell.rest_api.routes.type_routes import TypeRoutes
from kong_mesh_cp.shell.rest_api.unrouted import explaining_router
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.data_plane.previewing.previewing import Previewing
from kong_mesh_cp.usecases.data_plane.previewing.verdicts import Judging
from kong_mesh_cp.usecases.data_plane.proxy_configurations import ProxyConfigurations
from kong_mesh_cp.usecases.identity.issuing import Issuers, TokenIssuer
from kong_mesh_cp.usecases.identity.key_requests import KeyRequests
from kong_mesh_cp.usecases.identity.key_secrets import StoredKeySecrets
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.inspection.attachment_inspector import AttachmentInspector
from kong_mesh_cp.usecases.inspection.envoy_admin import EnvoyAdmin
from kong_mesh_cp.usecases.ports.secrets import SealingKey
from support.daemons.resource_api import ResourceApi
from support.fakes.identity import NOW
from support.fakes.key_secrets import numbered_keys
from support.fakes.sealing_key import FakeSealingKey

JSON_BODY = {"content-type": "application/json"}


@dataclass
class Routes:
    """All routes of resources over a store of their own."""

    api: ResourceApi = field(default_factory=ResourceApi)
    writable: Writable = field(default_factory=lambda: Writable(deployment=Deployment()))
    issuers: Issuers = field(default_factory=Issuers)
    access: AccessRules = field(default_factory=StaticAccess)  # to keys
    sealing: SealingKey = field(default_factory=FakeSealingKey)

    def __post_init__(self) -> None:
        api = self.api
        rules = WorldRules(zone="default", domain="mesh", service_port=80)
        resources = ResourceRoutes(
            reading=api.reading,
            applying=api.applying,
            authenticate=_authenticate,
            writable=self.writable,
        )
        inspection = InspectionRoutes(
            inspecting=lazy(lambda: api.inspecting),
            configurations=lazy(
                lambda: ProxyConfigurations(
                    api.store,
                    api.reading,
                    rules=rules,
                    terms=GenerationTerms(),
                )
            ),
            insights=api.insights,
            authenticate=_authenticate,
            deployment=self.writable.deployment,
        )
        judging = Judging(api.store, api.applying, api.access, self.writable.require)
        previewing = Previewing(
            api.store, judging, api.access, rules=rules, terms=GenerationTerms()
        )
        preview = PreviewRoutes(
            previewing=lazy(lambda: previewing),
            authenticate=_authenticate,
            deployment=self.writable.deployment,
        )
        access = StaticAccess()
        attaching = AttachmentInspector(api.replica, api.reading, access)
        attachments = AttachmentRoutes(
            attaching=lazy(lambda: attaching),
            admin=EnvoyAdmin(
                api.reading,
                access,
                api.store,
                HttpAdminCalls(AdminAuthority(api.store).of_control_plane),
            ),
            insights=api.insights,
            authenticate=_authenticate,
        )
        types = TypeRoutes(authenticate=_authenticate, writable=self.writable)
        routes = [*resources.routes(), *inspection.routes(), *types.routes(), *self._tokens()]
        routes += [*attachments.routes(), *preview.routes()]
        routes.sort(key=lambda route: (route.path, route.method))
        self.routes = tuple(routes)
        self.router = explaining_router(routes)

    def _tokens(self) -> Iterable[Route]:
        self.secrets = StoredKeySecrets(self.api.store, lambda: NOW)
        keys = SigningKeys(self.secrets, numbered_keys())
        requests = KeyRequests(
            keys,
            self.sealing,
            self.api.store,
            access=self.access,
            require_writable=lambda type_name: self.writable.require(TYPES[type_name]),
        )
        yield from KeyRoutes(requests=requests, authenticate=_authenticate).routes()
        issuer = TokenIssuer(
            keys,
            access=StaticAccess,
            clock=lambda: NOW,
            new_id=lambda: "an-id",
            issuers=self.issuers,
        )
        yield from TokenRoutes(issuer=issuer, authenticate=_authenticate).routes()

    async def ask(
        self,
        method: str,
        target: str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        local: bool = True,
    ) -> Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"host": "localhost:5681", **(JSON_BODY if content else {}), **(headers or {})}
        path, query = split_target(target)
        with socket.socket() as nobody:
            peer = Peer(nobody, address=("127.0.0.1" if local else "192.0.2.1", 4711))
            raw = target.partition("?")[2]
            request = Request(method, unquote(path), query, given, content, peer, raw_query=raw)
            answer = await self.router(request)
        assert not isinstance(answer, StreamingResponse)
        return answer

    async def put(self, path: str, **body: Any) -> Response:
        return await self.ask("PUT", path, body)

    async def json(self, target: str) -> Any:
        return json.loads((await self.ask("GET", target)).body)


async def _authenticate(requester: Requester) -> User:
    has_token = requester.authorization == "Bearer of-an-administrator"
    return ADMIN if requester.local or has_token else ANONYMOUS
