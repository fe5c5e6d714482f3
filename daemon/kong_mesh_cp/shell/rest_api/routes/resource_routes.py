"""The routes of all resource types, generated from the table of types.

Source: docs/wire/resource-api.md#routes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.json_text import JsonText
from kong_mesh_cp.core.identity.audit import Touch, Touched, is_audited
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.k8s_format import to_k8s
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.auditing import asked_from
from kong_mesh_cp.shell.rest_api.capabilities import DRY_RUN, STRICT
from kong_mesh_cp.shell.rest_api.large_answers import LargeAnswers
from kong_mesh_cp.shell.rest_api.list_queries import list_query
from kong_mesh_cp.shell.rest_api.openapi import resource_operations as abouts
from kong_mesh_cp.shell.rest_api.responding import Answer, json_response, of_secrets, responding
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.shell.rest_api.write_queries import write_flags
from kong_mesh_cp.usecases.identity.auditing import tell
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources import documents
from kong_mesh_cp.usecases.resources.documents import JsonDocument
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.queries import Listing
from kong_mesh_cp.usecases.resources.reader import ResourceReader, has_overview
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.writer import ResourceWriter

_K8S = frozenset({"k8s", "kubernetes"})
_FORMATS = ("k8s", "kubernetes", "universal")

# Older names of the overviews; each is a list, and `/{name}` below it.
_ALIASES = {
    "Dataplane": "dataplanes+insights",
    "Zone": "zones+insights",
    "ZoneIngress": "zoneingresses+insights",
    "ZoneEgress": "zoneegressoverviews",
}

_OF_ZONE = (
    "On zone control plane you can only modify zone resources with 'kumactl apply' or via the HTTP"
    " API. You can still use 'kumactl' or the HTTP API to modify the rest of the resource on the"
    " global control plane.\n"
)
_OF_GLOBAL = (
    "On global control plane you can not modify dataplane resources with 'kumactl apply' or via"
    " the HTTP API. You can still use 'kumactl' or the HTTP API to modify them on the zone control"
    " plane.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writable:
    """Which types this control plane lets clients write."""

    deployment: Deployment
    api_read_only: bool = False

    def permits(self, resource_type: ResourceType) -> bool:
        if self.api_read_only or resource_type.read_only:
            return False
        if self.deployment.mode is Mode.GLOBAL:
            return not resource_type.only_from_zone
        # Types that do not travel belong to each control plane for itself.
        return (
            not self.deployment.federated or resource_type.provided_by_zone or not resource_type.kds
        )

    def require(self, resource_type: ResourceType) -> None:
        """Raises: ResourceRefusedError, 405."""
        if not self.permits(resource_type):
            raise ResourceRefusedError(Fault.READ_ONLY, "Method not allowed", self.explanation)

    @property
    def explanation(self) -> str:
        return _OF_GLOBAL if self.deployment.mode is Mode.GLOBAL else _OF_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRoutes:
    """CRUD, lists and overviews."""

    reading: ResourceReader
    applying: ResourceWriter
    authenticate: Authenticate
    writable: Writable
    large: LargeAnswers = field(default_factory=LargeAnswers)

    def routes(self) -> Iterator[Route]:
        """Unsorted. Types whose kind is not known here, and virtual ones, are left out."""
        for resource_type in TYPES.values():
            if resource_type.path and resource_type.name in KINDS and not resource_type.virtual:
                yield from self._routes_of(resource_type)

    def _routes_of(self, resource_type: ResourceType) -> Iterator[Route]:
        below = "/meshes/{mesh}/" if resource_type.is_mesh_scoped else "/"
        # A Mesh is called {mesh} where others lie below it.
        one = (
            f"{below}{resource_type.path}/{{{'mesh' if resource_type.name == 'Mesh' else 'name'}}}"
        )
        yield self._route(
            resource_type, one, "GET", self._get(resource_type), abouts.get_one(resource_type)
        )
        yield self._route(
            resource_type, one, "PUT", self._put(resource_type), abouts.put(resource_type)
        )
        yield self._route(
            resource_type, one, "DELETE", self._delete(resource_type), abouts.delete(resource_type)
        )
        for path in self._list_paths(resource_type):
            about = abouts.list_(resource_type, path)
            yield self._route(
                resource_type, path, "GET", self._list(resource_type, path, overview=False), about
            )
        if has_overview(resource_type):
            alias = _ALIASES[resource_type.name]
            for path in (f"{one}/_overview", f"{below}{alias}/{{name}}"):
                yield self._route(
                    resource_type,
                    path,
                    "GET",
                    self._overview(resource_type),
                    abouts.overview(resource_type, path),
                )
            for path in self._list_paths(resource_type):
                aliased = path.removesuffix(resource_type.path) + alias
                for shown_at in (f"{path}/_overview", aliased):
                    about = abouts.overviews(resource_type, shown_at)
                    yield self._route(
                        resource_type,
                        shown_at,
                        "GET",
                        self._list(resource_type, shown_at, overview=True),
                        about,
                    )

    def _list_paths(self, resource_type: ResourceType) -> tuple[str, ...]:
        everywhere = f"/{resource_type.path}"
        return (
            (f"/meshes/{{mesh}}{everywhere}", everywhere)
            if resource_type.is_mesh_scoped
            else (everywhere,)
        )

    def _route(
        self, resource_type: ResourceType, path: str, method: str, answer: Answer, about: Operation
    ) -> Route:
        answer = of_secrets(answer) if resource_type.admin_only else answer
        return Route(path, method, responding(self.authenticate, answer), about)

    def _get(self, resource_type: ResourceType) -> Answer:
        async def get(user: User, request: Request) -> Response:
            form = request.query.get("format", "universal")
            if form not in _FORMATS:
                raise _unknown_format()
            namespace = request.query.get("namespace", "")
            stored = await self.reading.stored(user, resource_type, *_named(resource_type, request))
            _tell(user, Touch.READ, resource_type, request)
            if form not in _K8S:
                return await json_response(documents.shown_text(stored))
            if stored.text_bytes > documents.LARGE_BYTES:
                async with self.large.turn(user, request.peer):
                    return await _as_k8s(resource_type, stored, namespace)
            return await _as_k8s(resource_type, stored, namespace)

        return get

    def _overview(self, resource_type: ResourceType) -> Answer:
        async def overview(user: User, request: Request) -> Response:
            return await json_response(
                await self.reading.overview(user, resource_type, *_named(resource_type, request))
            )

        return overview

    def _list(self, resource_type: ResourceType, route: str, *, overview: bool) -> Answer:
        async def list_(user: User, request: Request) -> Response:
            query = list_query(request, route, resource_type.name)
            mesh = request.captured.get("mesh")

            async def read(bytes_max: int) -> Listing[JsonDocument | JsonText]:
                asked = replace(query, bytes_max=bytes_max)
                return await self.reading.page(user, resource_type, mesh, asked, overview=overview)

            answer = await self.large.list_(user, request, read)
            _tell(user, Touch.READ, resource_type, request)
            return answer

        return list_

    def _put(self, resource_type: ResourceType) -> Answer:
        async def put(user: User, request: Request) -> Response:
            self.writable.require(resource_type)
            flags = write_flags(request, DRY_RUN, STRICT)
            written = await self.applying.put(
                user,
                resource_type,
                *_named(resource_type, request),
                request.body,
                dry_run=DRY_RUN in flags,
                strict=STRICT in flags,
            )
            if DRY_RUN not in flags:
                touch = Touch.CREATE if written.created else Touch.UPDATE
                _tell(user, touch, resource_type, request)
            document = {"warnings": list(written.warnings)} if written.warnings else {}
            return await json_response(document, 201 if written.created else 200)

        return put

    def _delete(self, resource_type: ResourceType) -> Answer:
        async def delete(user: User, request: Request) -> Response:
            self.writable.require(resource_type)
            dry_run = DRY_RUN in write_flags(request, DRY_RUN)
            named = _named(resource_type, request)
            await self.applying.delete(user, resource_type, *named, dry_run=dry_run)
            if not dry_run:
                _tell(user, Touch.DELETE, resource_type, request)
            return await json_response({})

        return delete


async def _as_k8s(resource_type: ResourceType, stored: StoredResource, namespace: str) -> Response:
    key = stored.key
    body = {
        name: value
        for name, value in documents.document(stored).items()
        if name not in documents.shown_meta(stored, key.type) and name != "labels"
    }
    return await json_response(
        to_k8s(resource_type, key.mesh, key.name, body, stored.created_at, namespace=namespace)
    )


def _named(resource_type: ResourceType, request: Request) -> tuple[str, str]:
    """Mesh and name in the URL; a global resource has the mesh ""."""
    captured = request.captured
    if resource_type.name == "Mesh":
        return "", captured["mesh"]
    return captured.get("mesh", ""), captured["name"]


def _tell(user: User, touch: Touch, resource_type: ResourceType, request: Request) -> None:
    if is_audited(resource_type, touch):
        mesh, name = request.captured.get("mesh", ""), request.captured.get("name", "")
        if resource_type.name == "Mesh":
            mesh, name = "", mesh
        done = Touched(user=user, touch=touch, type=resource_type.name, mesh=mesh, name=name)
        tell(done, asked_from(request))


def _unknown_format() -> ResourceRefusedError:
    names = ", ".join(f'"{each}"' for each in _FORMATS)
    violation = Violation("format", f'"format" must be one of [{names}]')
    return ResourceRefusedError(
        Fault.INVALID, "invalid format", "Resource is not valid", [violation]
    )
