"""Values of the wrong type: Kuma's words, and beside them the field and what to write there.

Source: docs/wire/errors.md#conditions, docs/wire/resource-api.md#wrong-types
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.daemons.rest_api import Routes

Json = dict[str, Any]

SERVICE = {"kuma.io/service": "web"}
QUOTES = "put it between quotes"
UNIT = 'write it with its unit, between quotes, as "5s"'
PORT = "must be a whole number from 0 to 4294967295"
OBJECT = "write it as { … }, or each member on a line of its own below it"
LIST = "write it as [ … ], or with a dash before each item"


def dataplane(inbound: object, **more: Any) -> Json:
    networking = {"address": "10.0.0.1", "inbound": [{"port": 80, "tags": SERVICE}, inbound]}
    return {"type": "Dataplane", "mesh": "m", "name": "x", "networking": networking, **more}


def timeout(default: Json, **more: Any) -> Json:
    spec = {"to": [{"targetRef": {"kind": "Mesh"}, "default": default}], **more}
    return {"type": "MeshTimeout", "mesh": "m", "name": "x", "spec": spec}


async def refused(path: str, body: Json) -> tuple[str, list[tuple[str, str]]]:
    """The detail, and the fields with their reasons."""
    routes = Routes()
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    answer = await routes.ask("PUT", path, body)
    assert answer.status == 400, answer.body
    told = json.loads(answer.body)
    found = told["invalid_parameters"]
    assert told["causes"] == [{"field": e["field"], "message": e["reason"]} for e in found]
    return told["detail"], [(each["field"], each["reason"]) for each in found]


@pytest.mark.parametrize(
    ("inbound", "go", "field", "reason"),
    [
        (
            {"port": 80, "tags": {**SERVICE, "version": 2}},
            "json: cannot unmarshal number into Go value of type string",
            'tags["version"]',
            f"must be a text, and is a number: {QUOTES}",
        ),
        (
            {"port": 80, "tags": {**SERVICE, "canary": True}},
            "json: cannot unmarshal bool into Go value of type string",
            'tags["canary"]',
            f"must be a text, and is true or false: {QUOTES}",
        ),
        (
            {"port": 80, "tags": {**SERVICE, "zones": ["a"]}},
            "json: cannot unmarshal array into Go value of type string",
            'tags["zones"]',
            "must be a text, and is a list: write one text",
        ),
        (
            {"port": 80, "tags": ["web"]},
            "json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
            "tags",
            f"must be an object, and is a list: {OBJECT}",
        ),
        (
            {"port": "http"},
            "invalid character 'h' looking for beginning of value",
            "port",
            "must be a whole number, and is a text: write its digits",
        ),
        (
            {"port": -1},
            "json: cannot unmarshal number -1 into Go value of type uint32",
            "port",
            PORT,
        ),
        (
            {"port": 4294967296},
            "json: cannot unmarshal number 4294967296 into Go value of type uint32",
            "port",
            PORT,
        ),
        (
            {"port": 80, "health": {"ready": "yes"}},
            "json: cannot unmarshal string into Go value of type bool",
            "health.ready",
            "must be true or false, and is a text: write it without quotes",
        ),
        (
            {"port": 80, "serviceProbe": {"timeout": 5}},
            "json: cannot unmarshal number into Go value of type string",
            "serviceProbe.timeout",
            f"must be a duration: {UNIT}",
        ),
        (
            {"port": 80, "serviceProbe": {"timeout": "5"}},
            'bad Duration: time: missing unit in duration \\"5\\"',
            "serviceProbe.timeout",
            f"must be a duration: {UNIT}",
        ),
        (
            {"port": 80, "state": "Redy"},
            (
                'unknown value \\"\\\\\\"Redy\\\\\\"\\" for enum '
                "kuma.mesh.v1alpha1.Dataplane.Networking.Inbound.State"
            ),
            "state",
            "must be one of: Ready, NotReady, Ignored",
        ),
    ],
)
async def test_the_older_types_name_the_field_beside_gos_words(
    inbound: Json, go: str, field: str, reason: str
) -> None:
    detail, fields = await refused("/meshes/m/dataplanes/x", dataplane(inbound))
    assert detail == f'invalid Dataplane object: "{go}"'
    assert fields == [(f"networking.inbound[1].{field}", reason)]


@pytest.mark.parametrize(
    ("members", "field", "reason"),
    [
        ({"name": 5}, "name", f"must be a text, and is a number: {QUOTES}"),
        ({"labels": {"a": 2}}, 'labels["a"]', f"must be a text, and is a number: {QUOTES}"),
        ({"labels": ["a"]}, "labels", f"must be an object, and is a list: {OBJECT}"),
        (
            {"networking": {"address": "10.0.0.1", "inbound": {"port": 1}}},
            "networking.inbound",
            f"must be a list, and is an object: {LIST}",
        ),
    ],
)
async def test_the_meta_and_lists_name_their_field_too(
    members: Json, field: str, reason: str
) -> None:
    body = {**dataplane({"port": 81, "tags": SERVICE}), **members}
    assert (await refused("/meshes/m/dataplanes/x", body))[1] == [(field, reason)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("!", "must be Base64: illegal base64 data at input byte 0"),
        (["cHc="], "must be a text, and is a list: write the bytes in Base64"),
        ({"a": "cHc="}, "must be a text, and is an object: write the bytes in Base64"),
        (5, "must be a text, and is a number: write the bytes in Base64"),
        ("cHc=, cHc=", "must be Base64: illegal base64 data at input byte 3"),
        ("cHc= cHc=", "must be Base64: illegal base64 data at input byte 3"),
        ("cHc=;cHc=", "must be Base64: illegal base64 data at input byte 3"),
    ],
)
async def test_the_data_of_a_secret_is_one_text_in_base64(data: object, reason: str) -> None:
    body = {"type": "Secret", "mesh": "m", "name": "s", "data": data}
    _, fields = await refused("/meshes/m/secrets/s", body)
    assert [(field, text.split(" at ")[0]) for field, text in fields] == [
        ("data", reason.split(" at ", maxsplit=1)[0])
    ]


@pytest.mark.parametrize(
    ("default", "field", "reason"),
    [
        ({"idleTimeout": 5}, "idleTimeout", f'in body must be of type string: "number": {UNIT}'),
        ({"idleTimeout": "5"}, "idleTimeout", f"must be a duration: {UNIT}"),
        ({"idleTimeout": "abc"}, "idleTimeout", f"must be a duration: {UNIT}"),
        (
            {"http": {"requestTimeout": True}},
            "http.requestTimeout",
            f'in body must be of type string: "boolean": {UNIT}',
        ),
    ],
)
async def test_a_duration_of_a_policy_says_how_it_is_written(
    default: Json, field: str, reason: str
) -> None:
    _, fields = await refused("/meshes/m/meshtimeouts/x", timeout(default))
    assert fields == [(f"spec.to[0].default.{field}", reason)]


async def test_tags_and_labels_of_a_policy_say_how_they_are_written() -> None:
    ref = {"kind": "MeshSubset", "tags": {"version": 2, "canary": True, "zones": []}}
    body = timeout({"idleTimeout": "1h"}, targetRef=ref)
    _, fields = await refused("/meshes/m/meshtimeouts/x", {**body, "labels": {"a": 1}})
    wrong = "in body must be of type string"
    assert fields == [
        ("", f'labels.a {wrong}: "number": {QUOTES}'),
        ("spec.targetRef.tags.version", f'{wrong}: "number": {QUOTES}'),
        ("spec.targetRef.tags.canary", f'{wrong}: "boolean": {QUOTES}'),
        ("spec.targetRef.tags.zones", f'{wrong}: "array"'),
    ]


async def test_other_texts_of_a_policy_have_kumas_words_alone() -> None:
    body = timeout({"idleTimeout": "1h"}, targetRef={"kind": "MeshService", "name": 2})
    _, fields = await refused("/meshes/m/meshtimeouts/x", body)
    assert fields == [("spec.targetRef.name", 'in body must be of type string: "number"')]


async def test_no_value_is_repeated() -> None:
    body = {"type": "Secret", "mesh": "m", "name": "s", "data": "h!nter2-is-a-password"}
    told = json.dumps(await refused("/meshes/m/secrets/s", body))
    assert "nter2" not in told
