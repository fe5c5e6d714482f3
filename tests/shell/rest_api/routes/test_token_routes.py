"""`POST /tokens/…` as clients get it: statuses, titles and texts."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kong_mesh_cp.core.identity.key_series import USER_KEYS, ZONE_KEYS, dataplane_keys
from kong_mesh_cp.shell.http.messages import Response
from kong_mesh_cp.usecases.identity.issuing import Issuers
from support.daemons.rest_api import Routes
from support.fakes.identity import pem

ANONYMOUS = "mesh-system:anonymous/mesh-system:unauthenticated"
BODIES: dict[str, dict[str, Any]] = {
    "dataplane": {"name": "web-1", "mesh": "m", "tags": {"kuma.io/service": ["web"]}},
    "zone": {"zone": "east", "scope": ["ingress"], "validFor": "720h"},
    "user": {"name": "john", "groups": ["a"], "validFor": "24h"},
}


async def with_keys(routes: Routes | None = None) -> Routes:
    routes = routes or Routes()
    await routes.api.put("Mesh", "m")
    for number, series in enumerate((USER_KEYS, ZONE_KEYS, dataplane_keys("m")), start=1):
        await routes.secrets.delete(series.key(1))
        assert await routes.secrets.put(series.key(1), pem(number), expected=None)
    return routes


def claims(token: bytes) -> dict[str, Any]:
    payload = token.decode().split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(decoded, dict)
    return decoded


def said(answer: Response) -> tuple[int, str, str]:
    document = json.loads(answer.body)
    return answer.status, document["title"], document["detail"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("dataplane", {"Name": "web-1", "Mesh": "m", "Tags": {"kuma.io/service": ["web"]}}),
        ("zone", {"Zone": "east", "Scope": ["ingress"]}),
        ("user", {"Name": "john", "Groups": ["a"]}),
    ],
)
async def test_an_administrator_gets_the_bare_token(kind: str, expected: dict[str, Any]) -> None:
    answer = await (await with_keys()).ask("POST", f"/tokens/{kind}", BODIES[kind])
    assert (answer.status, answer.content_type) == (200, "text/plain")
    assert expected.items() <= claims(answer.body).items()


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("dataplane", f'user "{ANONYMOUS}" cannot access generate dataplane token'),
        ("zone", f"user \"{ANONYMOUS}\" cannot access generate zone token for zone 'east'"),
        ("user", "action not allowed"),
    ],
)
async def test_nobody_else_gets_one(kind: str, detail: str) -> None:
    routes = await with_keys()
    answer = await routes.ask("POST", f"/tokens/{kind}", BODIES[kind], local=False)
    assert said(answer) == (403, "Access Denied", detail)
    answer = await routes.ask("POST", f"/tokens/{kind}", b"{", local=False)
    assert said(answer) == (403, "Access Denied", detail.replace("east", ""))


@pytest.mark.parametrize(
    ("kind", "change", "field", "reason"),
    [
        ("dataplane", {"mesh": ""}, "mesh", "cannot be empty"),
        ("zone", {"scope": None}, "scope", "cannot be empty"),
        ("user", {"name": ""}, "name", "cannot be empty"),
        ("user", {"validFor": ""}, "validFor", "cannot be empty"),
        ("user", {"validFor": "0s"}, "validFor", "cannot be empty or nil"),
    ],
)
async def test_what_is_wrong_is_named(
    kind: str, change: dict[str, Any], field: str, reason: str
) -> None:
    answer = await (await with_keys()).ask("POST", f"/tokens/{kind}", BODIES[kind] | change)
    assert said(answer) == (400, "Invalid request", "Resource is not valid")
    assert json.loads(answer.body)["invalid_parameters"] == [{"field": field, "reason": reason}]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
async def test_what_cannot_be_read_is_refused_without_a_word(body: bytes) -> None:
    for kind in BODIES:
        answer = await (await with_keys()).ask("POST", f"/tokens/{kind}", body)
        assert (answer.status, answer.body, answer.content_type) == (400, b"", "")


async def test_a_mesh_that_does_not_exist_has_no_key() -> None:
    body = BODIES["dataplane"] | {"mesh": "gone"}
    status, title, detail = said(await Routes().ask("POST", "/tokens/dataplane", body))
    assert (status, title) == (404, "Signing Key not found")
    assert detail == (
        "there is no signing key with KID 1. Secret of name "
        '"dataplane-token-signing-key-gone-1" in mesh "gone" is not found. If signing key was '
        "rotated, regenerate the token"
    )


async def test_a_key_that_cannot_sign_is_no_fault_of_the_client() -> None:
    routes = Routes()
    assert await routes.secrets.put(USER_KEYS.key(1), b"no key", expected=None)
    answer = await routes.ask("POST", "/tokens/user", BODIES["user"])
    status, title, detail = said(answer)
    assert (status, title) == (503, "Could not issue a token")
    assert detail == "the signing key user-token-signing-key-1 is no private key in PEM"
    document = json.loads(answer.body)
    assert document["code"] == "signing-key-invalid"
    assert "kumactl generate signing-key" in document["hint"]


@pytest.mark.parametrize("kind", ["user", "zone", "dataplane"])
async def test_a_bad_key_in_the_store_does_not_stop_tokens(kind: str) -> None:
    routes = await with_keys()
    for series in (USER_KEYS, ZONE_KEYS, dataplane_keys("m")):
        assert await routes.secrets.put(series.key(9), b"x", expected=None)
    assert (await routes.ask("POST", f"/tokens/{kind}", BODIES[kind])).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/global-secrets/user-token-signing-key-9",
        "/global-secrets/zone-token-signing-key-9",
        "/global-secrets/zone-token-signing-public-key-9",
        "/meshes/m/secrets/dataplane-token-signing-key-m-9",
    ],
)
async def test_a_secret_called_like_a_key_that_holds_none_is_refused(path: str) -> None:
    routes = await with_keys()
    name = path.rpartition("/")[2]
    body = {"type": "GlobalSecret", "name": name, "data": "eA=="}
    if path.startswith("/meshes"):
        body |= {"type": "Secret", "mesh": "m"}
    answer = await routes.ask("PUT", path, body)
    document = json.loads(answer.body)
    assert (answer.status, document["title"]) == (400, "Could not create a resource")
    (wrong,) = document["invalid_parameters"]
    assert wrong["field"] == "data"
    assert "kumactl generate signing-key" in wrong["reason"]
    assert (await routes.ask("GET", path)).status == 404
    good = base64.b64encode(pem(4)).decode()
    assert (await routes.ask("PUT", path, body | {"data": good})).status == 201
    assert (await routes.ask("PUT", path, body)).status == 400


async def test_tokens_signed_elsewhere_are_not_issued() -> None:
    routes = await with_keys(Routes(issuers=Issuers(users=False, dataplanes=False, zones=False)))
    for kind, body in BODIES.items():
        status, title, detail = said(await routes.ask("POST", f"/tokens/{kind}", body))
        assert (status, title) == (400, "Could not issue a token")
        assert detail == "issuing tokens using the control plane is disabled."


async def test_only_json_asks_for_tokens() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await (await with_keys()).ask("POST", "/tokens/user", BODIES["user"], headers)
    assert answer.status == 415


async def test_a_value_of_the_wrong_type_is_told_with_its_field() -> None:
    routes = await with_keys()
    body = {"name": "john", "groups": "a,b", "validFor": "1h"}
    answer = await routes.ask("POST", "/tokens/user", body)
    assert answer.status == 400
    assert answer.refusal is not None
    (wrong,) = json.loads(answer.body)["invalid_parameters"]
    assert wrong["field"] == "groups"
    assert wrong["reason"].startswith("must be a list, and is a text")


async def test_a_slip_in_the_name_of_a_member_is_no_token_for_more() -> None:
    body = {"mesh": "default", "tag": {"kuma.io/service": ["web"]}}
    answer = await (await with_keys()).ask("POST", "/tokens/dataplane", body)
    assert answer.status == 400
    assert json.loads(answer.body)["invalid_parameters"] == [
        {"field": "tag", "reason": 'unknown member; did you mean "tags"?'}
    ]
