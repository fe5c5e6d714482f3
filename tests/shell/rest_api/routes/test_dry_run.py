"""Writes that are only judged: answered as the real one, and nothing comes of them.

Source: docs/wire/resource-api.md#dry-run
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.core.identity.access import StaticAccess
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.shell.http.messages import Response
from kong_mesh_cp.shell.rest_api.routes.resource_routes import Writable
from support.daemons.resource_api import ResourceApi, networking
from support.daemons.rest_api import Routes

DATAPLANE: dict[str, Any] = {
    "type": "Dataplane",
    "mesh": "m",
    "name": "dp",
    "networking": networking(),
}
BUILTIN: dict[str, Any] = {
    "type": "Mesh",
    "name": "web",
    "mtls": {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]},
}


async def routes_with_mesh(writable: Writable | None = None, **mesh: Any) -> Routes:
    api = ResourceApi(access=StaticAccess())
    routes = Routes(api) if writable is None else Routes(api, writable=writable)
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"], **mesh)
    return routes


def store_of(routes: Routes) -> dict[Any, Any]:
    return dict(routes.api.store.resources)  # type: ignore[attr-defined]  # of the fake


def reasons(answer: Response) -> dict[str, str]:
    return {each["field"]: each["reason"] for each in json.loads(answer.body)["invalid_parameters"]}


async def test_a_dry_run_answers_as_the_write_and_changes_nothing() -> None:
    routes = await routes_with_mesh()
    path, before = "/meshes/m/dataplanes/dp", store_of(routes)

    new = await routes.ask("PUT", f"{path}?dryRun=true", DATAPLANE)
    assert (new.status, new.body) == (201, b"{}\n")
    assert store_of(routes) == before

    await routes.put(path, **DATAPLANE)
    there = store_of(routes)
    assert (await routes.ask("PUT", f"{path}?dryRun=true", DATAPLANE)).status == 200
    assert (await routes.ask("DELETE", f"{path}?dryRun=true")).status == 200
    assert store_of(routes) == there


async def test_a_dry_run_of_a_mesh_makes_no_key() -> None:
    routes = await routes_with_mesh()
    made = list(routes.api.keys.made)

    answer = await routes.ask("PUT", "/meshes/web?dryRun=true", BUILTIN)

    assert answer.status == 201
    assert routes.api.keys.made == made
    assert (await routes.ask("GET", "/meshes/web")).status == 404


async def test_a_dry_run_of_a_change_to_a_mesh_is_judged_by_what_is_there() -> None:
    routes = await routes_with_mesh(mtls=BUILTIN["mtls"])
    made = list(routes.api.keys.made)
    other = {"enabledBackend": "new", "backends": [{"name": "new", "type": "builtin"}]}
    body = {"type": "Mesh", "name": "m", "mtls": other}

    judged = await routes.ask("PUT", "/meshes/m?dryRun=true", body)
    real = await routes.ask("PUT", "/meshes/m", body)

    assert (judged.status, judged.body) == (400, real.body)
    assert routes.api.keys.made == made


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        {**DATAPLANE, "name": "other"},
        {**DATAPLANE, "networking": {"address": "127.0.0.1"}},
        {**DATAPLANE, "networking": {"address": 5}},
        {**DATAPLANE, "labels": {"NOT A LABEL": ""}},
    ],
)
async def test_a_dry_run_is_refused_as_the_write_would_be(body: object) -> None:
    routes = await routes_with_mesh()
    path = "/meshes/m/dataplanes/dp"

    judged, real = [await routes.ask("PUT", path + query, body) for query in ("?dryRun=true", "")]

    assert judged.status == 400
    assert (judged.status, judged.body) == (real.status, real.body)


async def test_warnings_come_with_a_dry_run_too() -> None:
    routes = await routes_with_mesh()
    answer = await routes.ask("PUT", "/meshes/aa.a?dryRun=true", {"type": "Mesh", "name": "aa.a"})
    (warning,) = json.loads(answer.body)["warnings"]
    assert warning.startswith("Invalid Mesh resource name")


async def test_a_proxy_that_is_no_member_is_refused_in_a_dry_run() -> None:
    rules = {"requirements": [{"tags": {"team": "a"}}]}
    routes = await routes_with_mesh(constraints={"dataplaneProxy": rules})
    answer = await routes.ask("PUT", "/meshes/m/dataplanes/dp?dryRun=true", DATAPLANE)
    assert answer.status == 500  # as Kuma does


async def test_a_dry_run_asks_for_the_access_of_the_write() -> None:
    routes = await routes_with_mesh()
    for method, body in (("PUT", {"type": "Zone", "name": "z"}), ("DELETE", b"")):
        answer = await routes.ask(method, "/zones/z?dryRun=true", body, local=False)
        assert answer.status == 403


async def test_a_dry_run_of_what_is_read_only_is_refused() -> None:
    routes = await routes_with_mesh(Writable(deployment=Deployment(mode=Mode.GLOBAL)))
    path = "/meshes/m/dataplanes/dp?dryRun=true"
    assert (await routes.ask("PUT", path, DATAPLANE)).status == 405
    assert (await routes.ask("DELETE", path)).status == 405


async def test_a_dry_run_of_a_deletion_tells_what_stands_against_it() -> None:
    routes = await routes_with_mesh()
    await routes.put("/meshes/m/dataplanes/dp", **DATAPLANE)
    answer = await routes.ask("DELETE", "/meshes/m?dryRun=true")
    assert list(reasons(answer)) == ["mesh"]
    assert (await routes.ask("DELETE", "/meshes/gone?dryRun=true")).status == 404


@pytest.mark.parametrize("name", ["dryrun", "dry-run", "dry_run", "DRYRUN"])
async def test_a_slip_in_the_name_is_no_write(name: str) -> None:
    routes = await routes_with_mesh()
    await routes.put("/meshes/m/dataplanes/dp", **DATAPLANE)
    before = store_of(routes)

    for method, body in (("PUT", {**DATAPLANE, "labels": {"a": "b"}}), ("DELETE", b"")):
        answer = await routes.ask(method, f"/meshes/m/dataplanes/dp?{name}=true", body)
        assert (answer.status, reasons(answer)) == (400, {name: 'write it as "dryRun"'})

    assert store_of(routes) == before


@pytest.mark.parametrize("value", ["", "yes", "True", "1", "All", "false&dryRun=true"])
async def test_a_value_that_can_be_misread_is_no_write(value: str) -> None:
    routes = await routes_with_mesh()
    before = store_of(routes)
    answer = await routes.ask("PUT", f"/meshes/m/dataplanes/dp?dryRun={value}", DATAPLANE)
    assert (answer.status, list(reasons(answer))) == (400, ["dryRun"])
    assert store_of(routes) == before


async def test_false_is_a_write() -> None:
    routes = await routes_with_mesh()
    await routes.ask("PUT", "/meshes/m/dataplanes/dp?dryRun=false", DATAPLANE)
    assert (await routes.ask("GET", "/meshes/m/dataplanes/dp")).status == 200


async def test_other_parameters_mean_nothing_as_in_kuma() -> None:
    routes = await routes_with_mesh()
    answer = await routes.ask("PUT", "/meshes/m/dataplanes/dp?force=true", DATAPLANE)
    assert answer.status == 201


async def test_a_dry_run_leaves_no_trace_in_the_log_of_writes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    routes = await routes_with_mesh()
    body = {"type": "Secret", "mesh": "m", "name": "s", "data": "YQ=="}
    caplog.set_level("INFO")

    await routes.ask("PUT", "/meshes/m/secrets/s?dryRun=true", body)
    assert not caplog.records
    await routes.ask("PUT", "/meshes/m/secrets/s", body)
    assert caplog.records


async def test_a_large_body_is_judged_as_a_small_one() -> None:
    routes = await routes_with_mesh()
    body = {**DATAPLANE, "labels": {f"l{number}": "x" * 60 for number in range(200)}}
    before = store_of(routes)
    answer = await routes.ask("PUT", "/meshes/m/dataplanes/dp?dryRun=true", body)
    assert answer.status == 201
    assert store_of(routes) == before
