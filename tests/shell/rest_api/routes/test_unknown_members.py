"""Members that a type does not know, and those that it knows in another case of letters.

Source: docs/wire/resource-api.md#unknown-members, docs/wire/resource-api.md#letter-case
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.core.schema.unknown_members import (
    EXPLAINED_NAME_CHARACTERS_MAX,
    PATH_CHARACTERS_MAX,
    TOLD_MAX,
)
from kong_mesh_cp.shell.http.messages import Response
from kong_mesh_cp.usecases.resources.writer import WriteRules
from support.daemons.resource_api import ResourceApi, networking
from support.daemons.rest_api import Routes

Json = dict[str, Any]

MESH: Json = {"targetRef": {"kind": "Mesh"}}
IDLE: Json = {"idleTimeout": "1h"}
TIMEOUTS = "/meshes/m/meshtimeouts/x"


async def routes_with_mesh(*, strict: bool = False) -> Routes:
    rules = WriteRules(deployment=Deployment(), strict=strict)
    routes = Routes(ResourceApi(rules=rules))
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return routes


def timeout(spec: Json, **more: Any) -> Json:
    return {"type": "MeshTimeout", "mesh": "m", "name": "x", "spec": spec, **more}


def warnings(answer: Response) -> list[str]:
    assert answer.status in {200, 201}, answer.body
    told: list[str] = json.loads(answer.body).get("warnings", [])
    return told


def violations(answer: Response) -> list[tuple[str, str]]:
    assert answer.status == 400, answer.body
    found = json.loads(answer.body)["invalid_parameters"]
    return [(each["field"], each["reason"]) for each in found]


async def put(path: str, body: Json) -> list[str]:
    return warnings(await (await routes_with_mesh()).ask("PUT", path, body))


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        (
            {"to": [{"targetRef": {"kind": "Mesh", "nmae": "x"}, "default": IDLE}]},
            'unknown member spec.to[0].targetRef.nmae: it has no effect; did you mean "name"?',
        ),
        (
            {"to": [{**MESH, "default": {**IDLE, "conectionTimeout": "3s"}}]},
            (
                "unknown member spec.to[0].default.conectionTimeout: it has no effect; "
                'did you mean "connectionTimeout"?'
            ),
        ),
        (
            {"to": [{**MESH, "default": IDLE, "connectionTimeout": "3s"}]},
            (
                "unknown member spec.to[0].connectionTimeout: it has no effect; "
                "it belongs under spec.to[].default"
            ),
        ),
        (
            {"to": [{**MESH, "default": IDLE}], "default": IDLE},
            (
                "unknown member spec.default: it has no effect; "
                "it belongs under spec.to[] or spec.from[] or spec.rules[]"
            ),
        ),
        (
            {"to": [{**MESH, "default": IDLE}], "for": []},
            "unknown member spec.for: it has no effect; known here: from, rules, targetRef, to",
        ),
    ],
)
async def test_a_member_that_a_policy_does_not_know_is_told_with_the_nearest_one(
    spec: Json, warning: str
) -> None:
    assert await put(TIMEOUTS, timeout(spec)) == [warning]


async def test_a_member_at_the_wrong_level_is_told_where_it_belongs() -> None:
    body = timeout({"to": [{**MESH, "default": IDLE}]}, **{"from": [], "idleTimeout": "1h"})
    assert await put(TIMEOUTS, body) == [
        "unknown member from: it has no effect; it belongs under spec",
        (
            "unknown member idleTimeout: it has no effect; it belongs under "
            "spec.to[].default or spec.from[].default or spec.rules[].default"
        ),
    ]


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ({"mlts": {}}, 'mlts: it has no effect; did you mean "mtls"?'),
        ({"mTLS": {"enabledBackend": "a"}}, 'mTLS: it has no effect; did you mean "mtls"?'),
        ({"constraint": {}}, 'constraint: it has no effect; did you mean "constraints"?'),
        (
            {"dataplaneProxyMembership": {}},
            (
                "dataplaneProxyMembership: it has no effect; what resembles it belongs under "
                "constraints"
            ),
        ),
        (
            {"mtls": {"enabled": True}},
            'mtls.enabled: it has no effect; did you mean "enabledBackend"?',
        ),
        (
            {"mtls": {"backends": [{"name": "a", "type": "builtin", "conf": {"rsaBits": 4}}]}},
            (
                "mtls.backends[0].conf.rsaBits: it has no effect; it belongs under "
                "mtls.backends[].conf.caCert"
            ),
        ),
        (
            {"spec": {"mtls": {}}},
            'spec: it has no effect; what this type consists of stands beside "type" and "name"',
        ),
        (
            {"apiVersion": "kuma.io/v1alpha1"},
            (
                'apiVersion: it has no effect; this is the form of Kubernetes; here "type", "mesh", '
                '"name" and "labels" stand at the top'
            ),
        ),
    ],
)
async def test_a_member_that_a_mesh_does_not_know_is_told(members: Json, warning: str) -> None:
    told = await put("/meshes/w", {"type": "Mesh", "name": "w", **members})
    assert told == [f"unknown member {warning}"]


async def test_the_conf_of_a_type_that_is_not_known_is_not_looked_into() -> None:
    backend = {"name": "a", "type": "loki", "conf": {"adress": "x"}}
    body = {"type": "Mesh", "name": "w", "logging": {"backends": [backend]}}
    answer = await (await routes_with_mesh()).ask("PUT", "/meshes/w", body)
    assert [field for field, _ in violations(answer)] == ["logging.backends[0].type"]


async def test_a_secret_without_its_data_says_so() -> None:
    body = {"type": "Secret", "mesh": "m", "name": "s", "stringData": "hello"}
    (warning,) = await put("/meshes/m/secrets/s", body)
    assert warning == 'unknown member stringData: it has no effect; did you mean "data"?'


async def test_what_answers_have_can_be_sent_back_without_a_word() -> None:
    routes = await routes_with_mesh()
    for path, body in (
        (TIMEOUTS, timeout({"to": [{**MESH, "default": IDLE}]})),
        (
            "/meshes/m/dataplanes/dp",
            {"type": "Dataplane", "mesh": "m", "name": "dp", "networking": networking()},
        ),
        (
            "/meshes/m/meshservices/s",
            {"type": "MeshService", "mesh": "m", "name": "s", "spec": {"ports": [{"port": 1}]}},
        ),
    ):
        assert warnings(await routes.ask("PUT", path, body)) == []
        shown = {**await routes.json(path), "kri": "kri_mt_m___x_", "status": {"conditions": []}}
        assert shown["creationTime"]
        assert warnings(await routes.ask("PUT", f"{path}?strict=true", shown)) == []


async def test_strict_refuses_what_would_be_a_warning() -> None:
    routes = await routes_with_mesh()
    spec = {"to": [{**MESH, "default": {**IDLE, "conectionTimeout": "3s"}, "for": 1}]}
    for query in ("?strict=true", "?strict=true&dryRun=true", "?dryRun=true&strict=true"):
        answer = await routes.ask("PUT", TIMEOUTS + query, timeout(spec, nme="y"))
        assert violations(answer) == [
            ("nme", 'unknown member; did you mean "name"?'),
            (
                "spec.to[0].default.conectionTimeout",
                'unknown member; did you mean "connectionTimeout"?',
            ),
            ("spec.to[0].for", "unknown member; known here: default, targetRef"),
        ]
    assert (await routes.ask("GET", TIMEOUTS)).status == 404
    assert len(warnings(await routes.ask("PUT", f"{TIMEOUTS}?strict=false", timeout(spec)))) == 2


async def test_a_setting_makes_every_write_strict() -> None:
    routes = await routes_with_mesh(strict=True)
    body = timeout({"to": [{**MESH, "default": IDLE}], "for": 1})
    for query in ("", "?strict=false", "?dryRun=true"):
        answer = await routes.ask("PUT", TIMEOUTS + query, body)
        assert [field for field, _ in violations(answer)] == ["spec.for"]


async def test_what_is_refused_anyway_tells_of_unknown_members_too() -> None:
    routes = await routes_with_mesh()
    answer = await routes.ask("PUT", TIMEOUTS, timeout({}, to=[{**MESH, "default": IDLE}]))
    assert violations(answer)[-1] == ("to", "unknown member; it belongs under spec")

    no_schema = await routes.ask("PUT", TIMEOUTS, timeout({"to": [{"TargetRef": {}}]}))
    assert violations(no_schema) == [
        ("spec.to[0].targetRef", "in body is required"),
        ("spec.to[0].TargetRef", 'unknown member; did you mean "targetRef"?'),
    ]


async def test_a_rule_of_a_role_with_unknown_members_is_refused_and_told_once() -> None:
    body = {"type": "AccessRole", "name": "r", "rules": [{"access": ["CREATE"], "Types": ["Mesh"]}]}
    answer = await (await routes_with_mesh()).ask("PUT", "/access-roles/r", body)
    assert [field for field, _ in violations(answer)] == [""]


async def test_of_very_many_unknown_members_the_first_are_told_and_how_many_more() -> None:
    body = {"type": "Mesh", "name": "w", **{f"member{number}": 1 for number in range(1000)}}
    *told, last = await put("/meshes/w", body)
    assert len(told) == TOLD_MAX
    assert last == f"{1000 - TOLD_MAX} more unknown members have no effect"


async def test_long_and_strange_names_are_cut_and_escaped() -> None:
    names = ["x" * 5000, "bell\u0007", "\u202ereversed", "", "a" * 60]
    body = {"type": "Mesh", "name": "w", **dict.fromkeys(names, 1)}
    told = await put("/meshes/w", body)
    assert len(told) == len(names)
    assert f"{'x' * EXPLAINED_NAME_CHARACTERS_MAX}…:" in told[0]
    assert all(each.isprintable() for each in told)
    deep = {"routing": {}, "networking": {"outbound": {"y" * 64: 1}}}
    told = await put("/meshes/w", {"type": "Mesh", "name": "w", **deep})
    assert all(len(each) < 2 * PATH_CHARACTERS_MAX for each in told)


@pytest.mark.parametrize("type_name", ["MeshService", "MeshMultiZoneService"])
async def test_a_former_name_is_told_where_it_says_something_else(type_name: str) -> None:
    selector = {"meshService": {"matchLabels": {"a": "b"}}}
    routes = await routes_with_mesh()
    for port, told in (
        ({"protocol": "tcp"}, []),
        ({"protocol": "http", "appProtocol": "http"}, []),
        (
            {"protocol": "http"},
            [
                (
                    "unknown member spec.ports[0].protocol: it has no effect; "
                    'it is called "appProtocol" now'
                )
            ],
        ),
    ):
        spec = {"selector": selector, "ports": [{"port": 80, **port}]}
        if type_name == "MeshService":
            spec.pop("selector")
        body = {"type": type_name, "mesh": "m", "name": "s", "spec": spec}
        path = f"/meshes/m/{type_name.lower()}s/s"
        assert warnings(await routes.ask("PUT", path, body)) == told


async def test_names_of_policies_are_read_in_any_case() -> None:
    routes = await routes_with_mesh()
    body = {
        "type": "MeshTrafficPermission",
        "Mesh": "default",
        "mesh": "m",
        "name": "deny-db",
        "Labels": {"a": "b"},
        "spec": {
            "targetref": {"KIND": "MeshSubset", "tags": {"kuma.io/service": "db"}},
            "From": [{"targetRef": {"kind": "Mesh"}, "DEFAULT": {"Action": "Deny"}}],
        },
    }
    path = "/meshes/m/meshtrafficpermissions/deny-db"
    told = warnings(await routes.ask("PUT", path, body))
    assert [each for each in told if "unknown" in each] == []
    shown = await routes.json(path)
    assert shown["labels"]["a"] == "b"
    assert shown["spec"] == {
        "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "db"}},
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Deny"}}],
    }


async def test_backends_of_a_route_are_read_in_any_case() -> None:
    routes = await routes_with_mesh()
    refs = [
        {"kind": "MeshService", "name": "a", "weight": 90},
        {"kind": "MeshService", "name": "b", "Weight": 10},
    ]
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"backendrefs": refs},
    }
    to = [{"targetRef": {"kind": "MeshService", "name": "a"}, "rules": [rule]}]
    body = {"type": "MeshHTTPRoute", "mesh": "m", "name": "r", "spec": {**MESH, "to": to}}
    path = "/meshes/m/meshhttproutes/r"
    assert warnings(await routes.ask("PUT", path, body)) == []
    (stored,) = (await routes.json(path))["spec"]["to"]
    assert [each["weight"] for each in stored["rules"][0]["default"]["backendRefs"]] == [90, 10]


async def test_a_service_is_read_in_any_case() -> None:
    routes = await routes_with_mesh()
    spec = {
        "selector": {"dataplanetags": {"kuma.io/service": "api"}},
        "ports": [{"port": 80, "targetport": 8080, "appprotocol": "http"}],
    }
    body = {"type": "MeshService", "mesh": "m", "name": "api", "Labels": {"a": "b"}, "spec": spec}
    path = "/meshes/m/meshservices/api"
    assert warnings(await routes.ask("PUT", path, body)) == []
    shown = await routes.json(path)
    assert shown["labels"]["a"] == "b"
    assert shown["spec"]["selector"] == {"dataplaneTags": {"kuma.io/service": "api"}}
    assert shown["spec"]["ports"] == [{"port": 80, "targetPort": 8080, "appProtocol": "http"}]


async def test_what_the_schema_asks_for_it_asks_for_by_its_name() -> None:
    routes = await routes_with_mesh()
    body = {"Type": "MeshTimeout", "Mesh": "m", "Name": "x", "Spec": {}}
    answer = await routes.ask("PUT", TIMEOUTS, body)
    told = [reason for field, reason in violations(answer) if not field]
    assert told == [
        "type in body is required",
        "name in body is required",
        "spec in body is required",
    ]


async def test_a_default_of_the_schema_wins_over_a_name_that_comes_before_it() -> None:
    """So does Kuma, which fills in defaults before it looks at case; here it is told."""
    routes = await routes_with_mesh()
    spec = {"ports": [{"port": 80, "AppProtocol": "http"}]}
    body = {"type": "MeshService", "mesh": "m", "name": "s", "spec": spec}
    (told,) = warnings(await routes.ask("PUT", "/meshes/m/meshservices/s", body))
    assert told == (
        'unknown member spec.ports[0].AppProtocol: it has no effect; did you mean "appProtocol"?'
    )
    assert (await routes.json("/meshes/m/meshservices/s"))["spec"]["ports"][0][
        "appProtocol"
    ] == "tcp"


async def test_names_of_the_older_types_are_exact_but_those_that_all_have() -> None:
    routes = await routes_with_mesh()
    body = {"Type": "Mesh", "Name": "w", "Labels": {"a": "b"}, "Networking": {}}
    assert warnings(await routes.ask("PUT", "/meshes/w", body)) == [
        'unknown member Networking: it has no effect; did you mean "networking"?'
    ]
    assert (await routes.json("/meshes/w"))["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"targetRef": {"kind": "Mesh"}, "targetref": {"proxyTypes": ["Sidecar"]}}, ["Sidecar"]),
        ({"TARGETREF": {"proxyTypes": ["Sidecar"]}, "targetRef": {"kind": "Mesh"}}, ["Sidecar"]),
        (
            {
                "targetRef": {"kind": "Mesh", "proxyTypes": ["Gateway"]},
                "targetref": {"ProxyTypes": ["Sidecar"]},
            },
            ["Sidecar"],
        ),
    ],
)
async def test_what_stands_in_two_cases_is_merged_and_the_last_one_wins(
    given: Json, stored: list[str]
) -> None:
    routes = await routes_with_mesh()
    spec = {**given, "to": [{**MESH, "default": IDLE}]}
    assert warnings(await routes.ask("PUT", TIMEOUTS, timeout(spec))) == []
    shown = await routes.json(TIMEOUTS)
    assert shown["spec"]["targetRef"] == {"kind": "Mesh", "proxyTypes": stored}


async def test_what_stands_in_two_cases_with_two_types_is_refused() -> None:
    routes = await routes_with_mesh()
    spec = {"to": [{"targetRef": {"kind": "Mesh", "Kind": 5}, "default": IDLE}]}
    answer = await routes.ask("PUT", TIMEOUTS, timeout(spec))
    assert answer.status == 400
    assert "Kind" in json.loads(answer.body)["detail"]


async def test_letters_that_go_folds_to_ascii_are_folded() -> None:
    routes = await routes_with_mesh()
    ref = {"kind": "MeshService", "name": "a", "\u017fectionName": "http"}
    spec = {"to": [{"targetRef": ref, "default": {"idleTimeout": "1h"}}]}
    assert warnings(await routes.ask("PUT", TIMEOUTS, timeout(spec))) == []
    (to,) = (await routes.json(TIMEOUTS))["spec"]["to"]
    assert to["targetRef"]["sectionName"] == "http"
