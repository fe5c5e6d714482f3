"""What writes would do, before anything is written (docs/wire/inspection.md#what-a-change-would-do)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.shell.rest_api.routes.resource_routes import Writable
from kong_mesh_cp.usecases.data_plane.previewing import previewing, shown_changes, verdicts
from support.daemons.rest_api import Routes

OUTBOUND = {"port": 10001, "tags": {"kuma.io/service": "pay"}}
LISTENER, PAY = ("listener", "outbound:127.0.0.1:10001"), ("cluster", "pay")


def networking(service: str, last: int, *outbounds: Any) -> Any:
    tags = {"kuma.io/service": service, "kuma.io/protocol": "http"}
    return {
        "address": f"10.0.0.{last}",
        "inbound": [{"port": 80, "tags": tags}],
        "outbound": [*outbounds],
    }


async def populated() -> Routes:
    routes = Routes()
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    await routes.api.put("Dataplane", "web-1", mesh="m", networking=networking("web", 1, OUTBOUND))
    await routes.api.put("Dataplane", "pay-1", mesh="m", networking=networking("pay", 2))
    return routes


def timeout(name: str = "t", mesh: str = "m", **conf: Any) -> Any:
    to = [{"targetRef": {"kind": "Mesh"}, "default": conf}]
    return {"type": "MeshTimeout", "mesh": mesh, "name": name, "spec": {"to": to}}


async def preview(
    routes: Routes, *resources: Any, deletions: Any = (), query: str = "", status: int = 200
) -> Any:
    body = {"resources": [*resources], "deletions": [*deletions]}
    answer = await routes.ask("POST", f"/_preview{query}", body)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def outcomes(shown: Any) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in shown["resources"]}


def changes(shown: Any) -> dict[str, dict[tuple[str, str], Any]]:
    """By proxy and by resource, of the only mesh."""
    (mesh,) = shown["meshes"]
    return {
        proxy["name"]: {(each["type"], each["name"]): each for each in proxy["resources"]}
        for proxy in mesh["proxies"]
    }


async def test_a_policy_shows_whose_resources_change_and_what_of_them() -> None:
    routes = await populated()
    shown = await preview(routes, timeout(connectionTimeout="7s"))
    assert outcomes(shown) == {"t": "created"}
    found = changes(shown)
    assert set(found) == {"web-1"}
    (member,) = found["web-1"][PAY]["members"]
    assert member == {"path": "/connectTimeout", "before": "5s", "after": "7s"}


async def test_nothing_is_written() -> None:
    routes = await populated()
    await preview(
        routes,
        timeout(connectionTimeout="7s"),
        deletions=[{"type": "Dataplane", "mesh": "m", "name": "pay-1"}],
    )
    assert (await routes.ask("GET", "/meshes/m/meshtimeouts/t")).status == 404
    assert (await routes.ask("GET", "/meshes/m/dataplanes/pay-1")).status == 200


async def test_what_is_foretold_is_what_the_writes_then_do() -> None:
    routes = await populated()
    config = "/meshes/m/dataplanes/web-1/_config?shadow=false"
    before = await routes.json(config)
    document = timeout(connectionTimeout="7s", http={"requestTimeout": "9s"})
    foretold = changes(await preview(routes, document))["web-1"]
    assert await routes.json(config) == before
    await routes.put("/meshes/m/meshtimeouts/t", **document)
    after = await routes.json(config)

    differing = {
        name
        for url, named in after["xds"].items()
        for name, each in named.items()
        if before["xds"][url].get(name) != each
    }
    assert {name for _, name in foretold} == differing
    assert changes(await preview(routes, timeout(connectionTimeout="7s"))) != {}
    assert outcomes(await preview(routes, document)) == {"t": "unchanged"}


async def test_several_are_foretold_together() -> None:
    routes = await populated()
    shown = await preview(
        routes,
        timeout("a", connectionTimeout="7s"),
        timeout("b", http={"requestTimeout": "9s"}),
    )
    assert outcomes(shown) == {"a": "created", "b": "created"}
    assert set(changes(shown)["web-1"]) == {LISTENER, PAY}


async def test_what_says_the_same_again_changes_nothing() -> None:
    routes = await populated()
    document = timeout(connectionTimeout="7s")
    await routes.put("/meshes/m/meshtimeouts/t", **document)
    shown = await preview(routes, document)
    assert (outcomes(shown), shown["meshes"]) == ({"t": "unchanged"}, [])


async def test_what_is_refused_says_why_and_the_rest_is_foretold() -> None:
    routes = await populated()
    wrong = timeout("wrong", http={"requestTimeout": "-1s"})
    shown = await preview(routes, wrong, timeout("right", connectionTimeout="7s"))
    assert outcomes(shown) == {"wrong": "refused", "right": "created"}
    refusal = shown["resources"][0]["refusal"]
    assert (refusal["code"], refusal["detail"]) == ("resource-invalid", "Resource is not valid")
    assert refusal["violations"] == [
        {
            "field": "spec.to[0].default.http.requestTimeout",
            "reason": "must not be negative when defined",
        }
    ]
    assert set(changes(shown)) == {"web-1"}


async def test_a_deletion_shows_what_goes() -> None:
    routes = await populated()
    await routes.put("/meshes/m/meshtimeouts/t", **timeout(connectionTimeout="7s"))
    gone = {"type": "MeshTimeout", "mesh": "m", "name": "t"}
    shown = await preview(routes, deletions=[gone])
    assert outcomes(shown) == {"t": "deleted"}
    assert changes(shown)["web-1"][PAY]["members"][0] == {
        "path": "/connectTimeout",
        "before": "7s",
        "after": "5s",
    }


async def test_an_instance_that_goes_takes_its_endpoints_with_it() -> None:
    routes = await populated()
    gone = {"type": "Dataplane", "mesh": "m", "name": "pay-1"}
    found = changes(await preview(routes, deletions=[gone]))
    assert {each["change"] for each in found["pay-1"].values()} == {"removed"}
    assert ("endpoints", "pay") in found["web-1"]


async def test_a_new_proxy_gets_all_of_its_resources() -> None:
    routes = await populated()
    new = {
        "type": "Dataplane",
        "mesh": "m",
        "name": "new",
        "networking": networking("new", 9),
    }
    found = changes(await preview(routes, new))["new"]
    assert {each["change"] for each in found.values()} == {"added"}
    assert found["listener", "inbound:10.0.0.9:80"]["after"]["name"] == "inbound:10.0.0.9:80"


async def test_what_comes_with_its_mesh_is_judged_by_itself() -> None:
    routes = await populated()
    new = {"type": "Mesh", "name": "new"}
    shown = await preview(routes, new, timeout(mesh="new", connectionTimeout="7s"))
    assert outcomes(shown) == {"new": "created", "t": "created"}
    assert shown["meshes"] == []
    wrong = timeout(mesh="new", connectionTimeout="soon")
    assert outcomes(await preview(routes, new, wrong))["t"] == "refused"
    assert outcomes(await preview(routes, timeout(mesh="new")))["t"] == "refused"


async def test_a_mesh_that_changes_is_foretold_for_all_of_its_proxies() -> None:
    routes = await populated()
    backend = {"name": "ca", "type": "builtin"}
    mesh = {"type": "Mesh", "name": "m", "mtls": {"enabledBackend": "ca", "backends": [backend]}}
    shown = await preview(routes, {**mesh, "skipCreatingInitialPolicies": ["*"]})
    found = changes(shown)
    assert set(found) == {"pay-1", "web-1"}
    secret = found["web-1"]["secret", "identity_cert:secret:m"]
    assert (secret["change"], secret["after"]) == ("added", {"name": "identity_cert:secret:m"})


async def test_unknown_members_are_refused_where_that_is_asked_for() -> None:
    routes = await populated()
    odd = {**timeout(connectionTimeout="7s"), "odd": 1}
    assert outcomes(await preview(routes, odd)) == {"t": "created"}
    assert outcomes(await preview(routes, odd, query="?strict=true")) == {"t": "refused"}


async def test_connected_proxies_stand_first() -> None:
    routes = await populated()
    await routes.api.put("Dataplane", "a-1", mesh="m", networking=networking("a", 3, OUTBOUND))
    online = [{"id": "s", "connectTime": "2026-11-21T12:00:00Z"}]
    await routes.api.put("DataplaneInsight", "web-1", mesh="m", subscriptions=online)
    (mesh,) = (await preview(routes, timeout(connectionTimeout="7s")))["meshes"]
    assert [(each["name"], each["connected"]) for each in mesh["proxies"]] == [
        ("web-1", True),
        ("a-1", False),
    ]


async def test_more_proxies_than_are_looked_at_are_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(previewing, "PROXIES_MAX", 1)
    routes = await populated()
    await routes.api.put("Dataplane", "web-2", mesh="m", networking=networking("web", 3, OUTBOUND))
    (mesh,) = (await preview(routes, timeout(connectionTimeout="7s")))["meshes"]
    assert (mesh["dataplanes"], mesh["lookedAt"], mesh["notLookedAt"]) == (3, 1, 2)


async def test_more_resources_than_an_answer_holds_are_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(shown_changes, "RESOURCES_MAX", 1)
    routes = await populated()
    conf: dict[str, Any] = {"connectionTimeout": "7s", "http": {"requestTimeout": "9s"}}
    shown = await preview(routes, timeout(**conf))
    (proxy,) = shown["meshes"][0]["proxies"]
    assert (len(proxy["resources"]), proxy["notShown"]) == (1, 1)
    assert shown["leftOut"] == {"meshes": 0, "resources": 1}


async def test_secrets_in_resources_of_envoy_are_shown_to_nobody() -> None:
    routes = await populated()

    def patch(password: str) -> Any:
        value = {"inlineString": password}
        step = {"op": "add", "path": "/typedExtensionProtocolOptions/password", "value": value}
        cluster = {"operation": "Patch", "jsonPatches": [step]}
        default = {"appendModifications": [{"cluster": cluster}]}
        return {"type": "MeshProxyPatch", "mesh": "m", "name": "p", "spec": {"default": default}}

    answer = await routes.ask("POST", "/_preview", {"resources": [patch("swordfish")]})
    assert answer.status == 200
    assert b"swordfish" not in answer.body


async def test_it_takes_the_rights_that_the_writes_take() -> None:
    routes = await populated()
    body = {"resources": [timeout(connectionTimeout="7s")]}
    assert (await routes.ask("POST", "/_preview", body, local=False)).status == 403
    page = {"origin": "https://elsewhere.example"}
    assert (await routes.ask("POST", "/_preview", body, page)).status == 403


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        {"resources": {}},
        {"resources": [1]},
        {"resources": [{"type": "Nothing", "name": "x"}]},
        {"resources": [{"type": "MeshTimeout", "mesh": "m"}]},
        {"resources": [{"type": "MeshTimeout", "name": "x"}]},
        {"deletions": [{"type": ["Mesh"], "name": "x"}]},
        {"other": []},
        {"resources": [{"type": "Mesh", "name": "x"}] * (verdicts.DOCUMENTS_MAX + 1)},
    ],
)
async def test_what_is_no_preview_is_refused(body: Any) -> None:
    answer = await (await populated()).ask("POST", "/_preview", body)
    assert answer.status == 400
    assert json.loads(answer.body)["title"] == "Bad Request"


async def test_a_global_control_plane_previews_nothing() -> None:
    routes = Routes(writable=Writable(deployment=Deployment(mode=Mode.GLOBAL)))
    assert (await routes.ask("POST", "/_preview", {})).status == 405


async def test_types_that_cannot_be_written_here_are_refused_one_by_one() -> None:
    routes = Routes(writable=Writable(deployment=Deployment(), api_read_only=True))
    shown = await preview(routes, {"type": "Mesh", "name": "m"})
    assert outcomes(shown) == {"m": "refused"}
