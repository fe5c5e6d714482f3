"""The routes of all resource types, generated from the table of types (2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from kong_mesh_cp.core.formats.json_text import JsonText
from kong_mesh_cp.core.identity.audit import Touch, Touched, is_audited
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.k8s_format import to_k8s
from kong_mesh_cp.core.resources.labels import Mode, Place
from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.auditing import asked_from
from kong_mesh_cp.shell.rest_api.large_answers import LargeAnswers
from kong_mesh_cp.shell.rest_api.list_queries import list_query
from kong_mesh_cp.shell.rest_api.openapi import resource_operations as abouts
from kong_mesh_cp.shell.rest_api.responding import Answer, json_response, of_secrets, responding
from kong_mesh_cp.shell.rest_api.users import Authenticate
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

    place: Place
    api_read_only: bool = False

    def permits(self, row: ResourceType) -> bool:
        if self.api_read_only or row.read_only:
            return False
        if self.place.mode is Mode.GLOBAL:
            return not row.only_from_zone
        # Types that do not travel belong to each control plane for itself.
        return not self.place.federated or row.provided_by_zone or not row.kds

    def require(self, row: ResourceType) -> None:
        """Raises: ResourceRefusedError, 405."""
        if not self.permits(row):
            raise ResourceRefusedError(Fault.READ_ONLY, "Method not allowed", self.explanation)

    @property
    def explanation(self) -> str:
        return _OF_GLOBAL if self.place.mode is Mode.GLOBAL else _OF_ZONE


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
        for row in TYPES.values():
            if row.path and row.name in KINDS and not row.virtual:
                yield from self._routes_of(row)

    def _routes_of(self, row: ResourceType) -> Iterator[Route]:
        below = "/meshes/{mesh}/" if row.is_mesh_scoped else "/"
        # A Mesh is called {mesh} where others lie below it.
        one = f"{below}{row.path}/{{{'mesh' if row.name == 'Mesh' else 'name'}}}"
        yield self._route(row, one, "GET", self._get(row), abouts.get_one(row))
        yield self._route(row, one, "PUT", self._put(row), abouts.put(row))
        yield self._route(row, one, "DELETE", self._delete(row), abouts.delete(row))
        for path in self._list_paths(row):
            about = abouts.list_(row, path)
            yield self._route(row, path, "GET", self._list(row, path, overview=False), about)
        if has_overview(row):
            alias = _ALIASES[row.name]
            for path in (f"{one}/_overview", f"{below}{alias}/{{name}}"):
                yield self._route(row, path, "GET", self._overview(row), abouts.overview(row, path))
            for path in self._list_paths(row):
                aliased = path.removesuffix(row.path) + alias
                for shown_at in (f"{path}/_overview", aliased):
                    about = abouts.overviews(row, shown_at)
                    yield self._route(
                        row, shown_at, "GET", self._list(row, shown_at, overview=True), about
                    )

    def _list_paths(self, row: ResourceType) -> tuple[str, ...]:
        everywhere = f"/{row.path}"
        return (
            (f"/meshes/{{mesh}}{everywhere}", everywhere) if row.is_mesh_scoped else (everywhere,)
        )

    def _route(
        self, row: ResourceType, path: str, method: str, answer: Answer, about: Operation
    ) -> Route:
        answer = of_secrets(answer) if row.admin_only else answer
        return Route(path, method, responding(self.authenticate, answer), about)

    def _get(self, row: ResourceType) -> Answer:
        async def get(user: User, request: Request) -> Response:
            form = request.query.get("format", "universal")
            if form not in _FORMATS:
                raise _unknown_format()
            namespace = request.query.get("namespace", "")
            stored = await self.reading.stored(user, row, *_named(row, request))
            _tell(user, Touch.READ, row, request)
            if form not in _K8S:
                return await json_response(documents.shown_text(stored))
            if stored.text_bytes > documents.LARGE_BYTES:
                async with self.large.turn(user, request.peer):
                    return await _as_k8s(row, stored, namespace)
            return await _as_k8s(row, stored, namespace)

        return get

    def _overview(self, row: ResourceType) -> Answer:
        async def overview(user: User, request: Request) -> Response:
            return await json_response(
                await self.reading.overview(user, row, *_named(row, request))
            )

        return overview

    def _list(self, row: ResourceType, route: str, *, overview: bool) -> Answer:
        async def list_(user: User, request: Request) -> Response:
            query = list_query(request, route, row.name)
            mesh = request.captured.get("mesh")

            async def read(bytes_max: int) -> Listing[JsonDocument | JsonText]:
                asked = replace(query, bytes_max=bytes_max)
                return await self.reading.page(user, row, mesh, asked, overview=overview)

            answer = await self.large.list_(user, request, read)
            _tell(user, Touch.READ, row, request)
            return answer

        return list_

    def _put(self, row: ResourceType) -> Answer:
        async def put(user: User, request: Request) -> Response:
            self.writable.require(row)
            written = await self.applying.put(user, row, *_named(row, request), request.body)
            _tell(user, Touch.CREATE if written.created else Touch.UPDATE, row, request)
            document = {"warnings": list(written.warnings)} if written.warnings else {}
            return await json_response(document, 201 if written.created else 200)

        return put

    def _delete(self, row: ResourceType) -> Answer:
        async def delete(user: User, request: Request) -> Response:
            self.writable.require(row)
            await self.applying.delete(user, row, *_named(row, request))
            _tell(user, Touch.DELETE, row, request)
            return await json_response({})

        return delete


async def _as_k8s(row: ResourceType, stored: StoredResource, namespace: str) -> Response:
    key = stored.key
    body = {
        name: value
        for name, value in documents.document(stored).items()
        if name not in documents.shown_meta(stored, key.type) and name != "labels"
    }
    return await json_response(
        to_k8s(row, key.mesh, key.name, body, stored.created_at, namespace=namespace)
    )


def _named(row: ResourceType, request: Request) -> tuple[str, str]:
    """Mesh and name in the URL; a global resource has the mesh ""."""
    captured = request.captured
    if row.name == "Mesh":
        return "", captured["mesh"]
    return captured.get("mesh", ""), captured["name"]


def _tell(user: User, touch: Touch, row: ResourceType, request: Request) -> None:
    if is_audited(row, touch):
        mesh, name = request.captured.get("mesh", ""), request.captured.get("name", "")
        if row.name == "Mesh":
            mesh, name = "", mesh
        done = Touched(user=user, touch=touch, type=row.name, mesh=mesh, name=name)
        tell(done, asked_from(request))


def _unknown_format() -> ResourceRefusedError:
    names = ", ".join(f'"{each}"' for each in _FORMATS)
    violation = Violation("format", f'"format" must be one of [{names}]')
    return ResourceRefusedError(
        Fault.INVALID, "invalid format", "Resource is not valid", [violation]
    )
