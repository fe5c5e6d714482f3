"""The routes of resources as clients meet them: statuses, bodies, texts.

Source: docs/wire/resource-api.md#routes, docs/wire/resource-api.md#writing, docs/wire/errors.md#conditions
"""

from __future__ import annotations

import json

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.volume import Excess, Share
from kong_mesh_cp.shell.rest_api.errors import refused
from kong_mesh_cp.shell.rest_api.routes.resource_routes import Writable
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.mesh_creation import KeysBusyError
from kong_mesh_cp.usecases.resources.resource_refusals import over_quota
from support.daemons.resource_api import NumberedKeys, ResourceApi, networking
from support.daemons.rest_api import Routes
from support.fakes.fake_resources import FakeResourceStore

DATAPLANE = {"type": "Dataplane", "mesh": "m", "name": "dp", "networking": networking()}


async def routes_with_mesh(writable: Writable | None = None) -> Routes:
    routes = Routes() if writable is None else Routes(writable=writable)
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return routes


async def test_a_resource_lives_from_put_to_delete() -> None:
    routes = await routes_with_mesh()
    path = "/meshes/m/dataplanes/dp"
    made = await routes.put(path, **DATAPLANE)
    assert (made.status, made.body) == (201, b"{}\n")
    assert (await routes.put(path, **DATAPLANE)).status == 200
    shown = await routes.json(path)
    assert list(shown)[:6] == [
        "type",
        "mesh",
        "name",
        "creationTime",
        "modificationTime",
        "labels",
    ]
    assert (await routes.json("/dataplanes"))["items"] == [shown]
    gone = await routes.ask("DELETE", path)
    assert (gone.status, gone.body) == (200, b"{}\n")
    answer = await routes.ask("GET", path)
    assert (answer.status, json.loads(answer.body)) == (
        404,
        {
            "type": "/std-errors",
            "status": 404,
            "title": "Could not retrieve a resource",
            "detail": "Not found",
            "details": "Not found",
        },
    )


async def test_warnings_come_with_the_answer() -> None:
    answer = await Routes().put("/meshes/aa.a", type="Mesh", name="aa.a")
    (warning,) = json.loads(answer.body)["warnings"]
    assert warning.startswith("Invalid Mesh resource name")


async def test_pages_lead_to_the_next_one() -> None:
    routes = Routes()
    for name in ("a", "b", "c"):
        await routes.put(f"/meshes/{name}", type="Mesh", name=name)
    first = await routes.json("/meshes?size=2")
    assert (first["total"], [each["name"] for each in first["items"]]) == (3, ["a", "b"])
    assert first["next"] == "http://localhost:5681/meshes?offset=2&size=2"
    rest = await routes.json("/meshes?offset=2&size=2")
    assert ([each["name"] for each in rest["items"]], rest["next"]) == (["c"], None)


@pytest.mark.parametrize("type_name", sorted(KINDS))
async def test_every_type_can_be_listed(type_name: str) -> None:
    resource_type = TYPES[type_name]
    if not resource_type.path:
        return
    routes = await routes_with_mesh()
    assert (await routes.ask("GET", f"/{resource_type.path}")).status == 200
    if resource_type.is_mesh_scoped:
        assert (await routes.ask("GET", f"/meshes/m/{resource_type.path}")).status == 200
        assert (await routes.ask("GET", f"/meshes/gone/{resource_type.path}")).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/meshes/m/dataplanes/_overview",
        "/meshes/m/dataplanes+insights",
        "/dataplanes/_overview",
        "/zones/_overview",
        "/zones+insights",
        "/zone-ingresses/_overview",
        "/zoneingresses+insights",
        "/zoneegressoverviews",
    ],
)
async def test_overviews_have_their_older_names(path: str) -> None:
    assert await (await routes_with_mesh()).json(path) == {"total": 0, "items": [], "next": None}


async def test_an_overview_shows_one_resource() -> None:
    routes = await routes_with_mesh()
    await routes.put("/meshes/m/dataplanes/dp", **DATAPLANE)
    for path in ("/meshes/m/dataplanes/dp/_overview", "/meshes/m/dataplanes+insights/dp"):
        shown = await routes.json(path)
        assert shown["type"] == "DataplaneOverview"
        assert shown["dataplane"]["networking"]["address"] == "127.0.0.1"


@pytest.mark.parametrize("form", ["k8s", "kubernetes"])
async def test_a_resource_is_shown_as_kubernetes_has_it(form: str) -> None:
    routes = await routes_with_mesh()
    await routes.put("/meshes/m/dataplanes/dp", **DATAPLANE)
    shown = await routes.json(f"/meshes/m/dataplanes/dp?format={form}&namespace=ns")
    assert shown["kind"] == "Dataplane"
    assert shown["mesh"] == "m"
    assert (shown["metadata"]["name"], shown["metadata"]["namespace"]) == ("dp", "ns")
    assert list(shown["spec"]) == ["networking"]


async def test_an_empty_format_is_none_and_a_missing_resource_comes_before_a_wrong_one() -> None:
    routes = await routes_with_mesh()
    assert await routes.json("/meshes/m?format=") == await routes.json("/meshes/m")
    assert (await routes.ask("GET", "/meshes/x?format=xml")).status == 404


async def test_an_unknown_format_is_reported() -> None:
    answer = await (await routes_with_mesh()).ask("GET", "/meshes/m?format=xml")
    shown = json.loads(answer.body)
    assert (answer.status, shown["title"], shown["detail"]) == (
        400,
        "invalid format",
        "Resource is not valid",
    )
    reason = '"format" must be one of ["k8s", "kubernetes", "universal"]'
    assert shown["invalid_parameters"] == [{"field": "format", "reason": reason}]


@pytest.mark.parametrize(
    ("writable", "path", "begins"),
    [
        (Writable(deployment=Deployment()), "/mesh-insights/m", "On zone control plane"),
        (
            Writable(deployment=Deployment(), api_read_only=True),
            "/meshes/m",
            "On zone control plane",
        ),
        (Writable(deployment=Deployment(federated=True)), "/meshes/m", "On zone control plane"),
        (
            Writable(deployment=Deployment(mode=Mode.GLOBAL)),
            "/meshes/m/dataplanes/a",
            "On global control plane",
        ),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_what_is_written_elsewhere_is_read_only_here(
    writable: Writable, path: str, begins: str, method: str
) -> None:
    routes = await routes_with_mesh(writable)
    answer = await routes.ask(method, path, {})
    shown = json.loads(answer.body)
    assert (answer.status, shown["title"]) == (405, "Method not allowed")
    assert shown["detail"].startswith(begins)
    assert shown["detail"].endswith(".\n")


def test_each_type_is_written_where_it_comes_from() -> None:
    """Every type that is not read-only (docs/wire/resource-api.md#read-only-types)."""
    for_all = {
        resource_type.name
        for resource_type in TYPES.values()
        if Writable(deployment=Deployment()).permits(resource_type)
    }
    on_global = Writable(deployment=Deployment(mode=Mode.GLOBAL))
    on_zone = Writable(deployment=Deployment(federated=True))
    refused_on_global = {name for name in for_all if not on_global.permits(TYPES[name])}
    assert refused_on_global == {"Dataplane", "MeshService", "ZoneEgress", "ZoneIngress"}
    refused_on_zone = {name for name in for_all if not on_zone.permits(TYPES[name])}
    legacy = {
        resource_type.name
        for resource_type in TYPES.values()
        if resource_type.is_policy and not resource_type.plugin
    }
    from_global = {"Config", "ExternalService", "Mesh", "MeshMultiZoneService"}
    assert refused_on_zone == legacy | from_global


async def test_strangers_read_and_write_nothing() -> None:
    routes = await routes_with_mesh()
    assert (await routes.ask("GET", "/meshes", local=False)).status == 200
    for method, path in (("PUT", "/meshes/x"), ("DELETE", "/meshes/m")):
        body = {"type": "Mesh", "name": "x"} if method == "PUT" else b""
        answer = await routes.ask(method, path, body, local=False)
        shown = json.loads(answer.body)
        assert (answer.status, shown["title"]) == (403, "Access Denied")
        assert shown["detail"] == (
            'user "mesh-system:anonymous/mesh-system:unauthenticated" cannot access the resource'
            ' of type "Mesh"'
        )
    assert (await routes.ask("GET", "/meshes/m/secrets", local=False)).status == 403


async def test_a_store_that_fails_is_no_fault_of_the_client() -> None:
    routes = await routes_with_mesh()
    assert isinstance(routes.api.store, FakeResourceStore)
    routes.api.store.failure = StateError("the disk is full", code="state-full", hint="Make room.")
    answer = await routes.ask("GET", "/meshes")
    assert (answer.status, json.loads(answer.body)["detail"]) == (500, "Internal Server Error")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("state-full", "no space is left where the control plane keeps its store"),
        ("store-unreachable", "the database cannot be reached"),
        ("store-busy", "the store is busy or locked"),
        ("store-login-refused", "the store cannot be used"),
    ],
)
async def test_a_client_learns_what_became_of_its_request_but_no_address(
    code: str, reason: str
) -> None:
    routes = await routes_with_mesh()
    assert isinstance(routes.api.store, FakeResourceStore)
    failure = StateError("PostgreSQL at db.example.com, user kuma", code=code, hint="Mend it.")
    routes.api.store.failure = failure
    answer = await routes.ask("PUT", "/meshes/x", {"type": "Mesh", "name": "x"})

    error = json.loads(answer.body)
    assert (answer.status, error["code"]) == (500, code)
    assert error["reason"].startswith(reason)
    assert "journalctl -u kong-mesh-cp" in error["hint"]
    assert b"db.example.com" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "text"),
    [
        ("GET", "/unknown", {}, 404, "404: Page Not Found"),
        ("PATCH", "/meshes/m", {}, 405, "405: Method Not Allowed"),
        ("PUT", "/meshes/m", {"content-type": "text/plain"}, 415, "415: Unsupported Media Type"),
        ("PUT", "/meshes/m", {"content-type": ""}, 415, "415: Unsupported Media Type"),
        (
            "GET",
            "/meshes",
            {"accept": "text/html"},
            406,
            "406: Not Acceptable\n\nAvailable representations: application/json",
        ),
        (
            "PUT",
            "/meshes/m",
            {"accept": "text/html"},
            406,
            "406: Not Acceptable\n\nAvailable representations: application/json",
        ),
    ],
)
async def test_the_router_speaks_as_the_original_one(
    method: str, path: str, headers: dict[str, str], status: int, text: str
) -> None:
    routes = await routes_with_mesh()
    body = {"type": "Mesh", "name": "m"} if method == "PUT" else b""
    answer = await routes.ask(method, path, body, headers)
    assert (answer.status, answer.body.decode()) == (status, text)
    assert answer.content_type == "text/plain; charset=utf-8"


async def test_what_a_path_takes_is_reported_in_order() -> None:
    answer = await (await routes_with_mesh()).ask("POST", "/meshes/m", {})
    assert dict(answer.headers)["Allow"] == "GET, PUT, DELETE"


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json;q=1, application/problem+json;q=0", "text/html, application/json"],
)
async def test_a_client_that_accepts_json_gets_it(accept: str) -> None:
    answer = await (await routes_with_mesh()).ask("GET", "/meshes", headers={"accept": accept})
    assert answer.status == 200


class BusyKeys(NumberedKeys):
    """Too many wait for keys already."""

    async def signing_key(self, asker: str = "") -> bytes:
        if asker:
            raise KeysBusyError
        return await super().signing_key()


async def test_a_mesh_whose_keys_cannot_be_made_now_is_not_made() -> None:
    routes = Routes(ResourceApi(keys=BusyKeys()))
    answer = await routes.ask("PUT", "/meshes/m", {"type": "Mesh", "name": "m"})
    document = json.loads(answer.body)
    assert (answer.status, document["code"]) == (503, "keys-busy")
    assert "Ask again in 5 seconds" in document["hint"]
    assert ("Retry-After", "5") in answer.headers
    assert (await routes.ask("GET", "/meshes/m")).status == 404


def test_a_write_over_the_quota_says_the_numbers_and_the_remedy() -> None:
    excess = Excess(Share.OTHERS, "items", 9, 8)
    answer = refused(over_quota("Could not create a resource", excess))
    document = json.loads(answer.body)
    assert (answer.status, document["code"]) == (403, "resource-over-quota")
    assert document["title"] == "Could not create a resource"
    assert "9 items of resources but Dataplanes" in document["detail"]
    assert "up to 8 items" in document["detail"]
    assert "store.quota.items" in document["hint"]
