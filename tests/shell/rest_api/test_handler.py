"""The API from outside, over TCP: its administrators are known by address."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.identity.access import AccessRules, Grant, StaticAccess
from kong_mesh_cp.core.identity.key_series import USER_KEYS
from kong_mesh_cp.core.identity.tokens import UserClaims
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.rest_api.errors import api_error
from kong_mesh_cp.shell.rest_api.guards import Guards
from kong_mesh_cp.shell.rest_api.handler import Index, RestApi
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome, ReloadResult
from support.daemons.http_peers import NOON, Answer, Client
from support.fakes.identity import JOHN, NOW, pem, token_for
from support.fakes.key_secrets import FakeKeySecrets, numbered_keys

INDEX = Index(
    version="2.10.11", cluster_id="ed1a75f5", hostname="cp-host", instance_id="cp-host-2875"
)
PUBLIC = {
    "allowedDataplaneProxies": 20,
    "activeDataplaneProxies": 2,
    "expirationDate": "2032-11-09T00:00:00Z",
    "demo": False,
}
UNCHANGED = ReloadOutcome(result=ReloadResult.UNCHANGED)
ADMIN = "Host: localhost:5681"
STRANGER = "Host: mesh.example:5681"
ADMINS_TOKEN = token_for(UserClaims(name="root", groups=("mesh-system:admin",)))
REMOTE_ADMIN = f"Authorization: Bearer {ADMINS_TOKEN}"
JOHNS = f"Authorization: Bearer {token_for(JOHN)}"
BAD = "Authorization: Bearer no-token"
ANONYMOUS = "mesh-system:anonymous/mesh-system:unauthenticated"
JOHN_SHOWN = "john/team-a,team-b,mesh-system:authenticated"
ONLY_ADMINS = StaticAccess(control_plane_metadata=Grant(groups=frozenset({"mesh-system:admin"})))


@asynccontextmanager
async def api(
    outcome: ReloadOutcome = UNCHANGED,
    *,
    localhost_is_admin: bool = True,
    access: AccessRules = ONLY_ADMINS,
) -> AsyncIterator[Client]:
    secrets = FakeKeySecrets("default")
    secrets.kept[USER_KEYS.key(1)] = pem()
    authenticator = Authenticator(
        SigningKeys(secrets, numbered_keys()),
        lambda: NOW,
        AuthenticationSettings(localhost_is_admin=localhost_is_admin),
    )

    async def reload_license() -> ReloadOutcome:
        return outcome

    handler = RestApi(
        index=INDEX,
        public_license=lambda: PUBLIC,
        full_license=lambda: {**PUBLIC, "customer": "company_inc"},
        reload_license=reload_license,
        config=lambda: b'{"mode": "zone"}\n',
    ).handler(Guards(authenticate=authenticator.user, access=access))
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        await nursery.start(
            partial(
                serve_http,
                listener,
                handler,
                limits=Limits(),
                error_body=api_error,
                wall_clock=lambda: NOON,
                conversations=nursery,
                drain=Drain(),
            )
        )
        address = listener.socket.getsockname()
        async with await trio.open_tcp_stream(*address) as stream:
            yield Client(stream)
        nursery.cancel_scope.cancel()


async def ask(client: Client, call: str, *headers: str) -> Answer:
    return await client.ask("\r\n".join([f"{call} HTTP/1.1", *headers, "", ""]).encode())


async def test_the_index_has_kumas_members_in_kumas_order_and_what_clients_may_ask_for() -> None:
    async with api() as client:
        answer = await ask(client, "GET /", STRANGER)

    assert answer.headers["content-type"] == "application/json"
    assert answer.body.decode() == (
        "{\n"
        ' "basedOnKuma": "2.10.11",\n'
        ' "clusterId": "ed1a75f5",\n'
        ' "gui": "",\n'
        ' "hostname": "cp-host",\n'
        ' "instanceId": "cp-host-2875",\n'
        ' "product": "Kong Mesh",\n'
        ' "version": "2.10.11",\n'
        ' "capabilities": [\n'
        '  "dryRun",\n'
        '  "preview",\n'
        '  "strict"\n'
        " ]\n"
        "}\n"
    )


async def test_everybody_sees_exactly_the_documented_license_fields() -> None:
    async with api() as client:
        answer = await ask(client, "GET /license", STRANGER)

    assert answer.body.decode() == (
        "{\n"
        ' "allowedDataplaneProxies": 20,\n'
        ' "activeDataplaneProxies": 2,\n'
        ' "expirationDate": "2032-11-09T00:00:00Z",\n'
        ' "demo": false\n'
        "}\n"
    )


async def test_localhost_sees_the_full_license_and_the_configuration() -> None:
    async with api() as client:
        assert json.loads((await ask(client, "GET /license?view=full", ADMIN)).body)["customer"]
        assert json.loads((await ask(client, "GET /config", ADMIN)).body) == {"mode": "zone"}


@pytest.mark.parametrize("call", ["GET /license?view=full", "GET /config", "POST /license/reload"])
@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ((STRANGER,), ANONYMOUS),
        ((ADMIN, "X-Forwarded-For: 127.0.0.1"), ANONYMOUS),
        ((ADMIN, "Origin: https://evil.example"), ANONYMOUS),
        ((ADMIN, "Origin: http://localhost:3000"), ANONYMOUS),
        ((ADMIN, "Sec-Fetch-Site: same-site"), ANONYMOUS),
        ((ADMIN, "Referer: http://localhost:3000/"), ANONYMOUS),
        ((ADMIN, "X_Forwarded_For: 127.0.0.1"), ANONYMOUS),
        ((STRANGER, JOHNS), JOHN_SHOWN),
    ],
)
async def test_nobody_does_without_the_right_to(
    call: str, headers: tuple[str, ...], who: str
) -> None:
    async with api() as client:
        answer = await ask(client, call, *headers)

    error = json.loads(answer.body)
    assert (answer.status, error["title"]) == (403, "Access Denied")
    what = {
        "GET /license?view=full": "the full license",
        "GET /config": "control-plane metadata",
        "POST /license/reload": "the reload of the license",
    }
    assert error["detail"] == f'user "{who}" cannot access {what[call]}'
    assert error["details"] == error["detail"]


@pytest.mark.parametrize("call", ["GET /license?view=full", "GET /config", "POST /license/reload"])
async def test_an_administrator_from_elsewhere_does_with_a_token(call: str) -> None:
    async with api() as client:
        assert (await ask(client, call, STRANGER, REMOTE_ADMIN)).status == 200


@pytest.mark.parametrize("page", ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"])
async def test_no_page_of_another_origin_is_shown_the_full_license_whoever_asks(page: str) -> None:
    async with api() as client:
        for proof in ((ADMIN,), (STRANGER, REMOTE_ADMIN)):
            answer = await ask(client, "GET /license?view=full", *proof, page)
            assert answer.status == 403


@pytest.mark.parametrize("call", ["GET /license?view=full", "GET /config", "POST /license/reload"])
async def test_where_localhost_is_nothing_special_a_token_is_needed_there_too(call: str) -> None:
    async with api(localhost_is_admin=False) as client:
        assert (await ask(client, call, ADMIN)).status == 403
        assert (await ask(client, call, ADMIN, REMOTE_ADMIN)).status == 200


@pytest.mark.parametrize(
    "call",
    ["GET /config", "GET /license", "GET /license?view=full", "GET /no-such", "PUT /config"],
)
async def test_a_token_that_proves_nothing_comes_before_all_else(call: str) -> None:
    async with api() as client:
        answer = await ask(client, call, STRANGER, BAD)

    error = json.loads(answer.body)
    assert (answer.status, error["title"]) == (401, "Invalid authentication data")
    assert error["detail"] == "Unauthenticated"


@pytest.mark.parametrize("call", ["GET /", "GET /gui/no-such"])
async def test_nobody_is_asked_who_they_are_at_the_index_and_the_gui(call: str) -> None:
    async with api() as client:
        assert (await ask(client, call, STRANGER, BAD)).status in {200, 404}


async def test_by_kumas_lists_everybody_sees_the_configuration_and_no_more() -> None:
    async with api(access=StaticAccess()) as client:
        assert json.loads((await ask(client, "GET /config", STRANGER)).body) == {"mode": "zone"}
        assert (await ask(client, "GET /license?view=full", STRANGER)).status == 403


async def test_a_view_that_does_not_exist_is_named() -> None:
    async with api() as client:
        answer = await ask(client, "GET /license?view=fulll", ADMIN)

    assert answer.status == 400
    assert json.loads(answer.body)["invalid_parameters"] == [
        {"field": "view", "reason": "must be one of: full"}
    ]


async def test_a_reload_answers_what_changed() -> None:
    outcome = ReloadOutcome(
        result=ReloadResult.APPLIED, difference="dataplanes 20 → 5", reductions=("fewer",)
    )
    async with api(outcome) as client:
        answer = await ask(client, "POST /license/reload", ADMIN)

    assert answer.status == 200
    assert json.loads(answer.body) == {
        "result": "applied",
        "difference": "dataplanes 20 → 5",
        "reductions": ["fewer"],
    }


async def test_a_reload_that_is_rejected_conflicts_with_the_sources() -> None:
    error = ControlPlaneError("it ended", code="license-expired", hint="Renew it.")
    async with api(ReloadOutcome(result=ReloadResult.REJECTED, error=error)) as client:
        answer = await ask(client, "POST /license/reload", ADMIN)

    assert answer.status == 409
    assert json.loads(answer.body) == {
        "type": "/std-errors",
        "status": 409,
        "title": "Could not reload the license",
        "detail": "it ended",
        "details": "it ended",
        "code": "license-expired",
        "hint": "Renew it.",
        "result": "rejected",
    }


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (UNCHANGED, "can be used"),
        (
            ReloadOutcome(
                result=ReloadResult.REJECTED, error=ControlPlaneError("x", code="x", hint="")
            ),
            "cannot be used",
        ),
    ],
)
async def test_a_reload_tells_who_asked_for_it(
    outcome: ReloadOutcome, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with api(outcome) as client:
        await ask(client, "POST /license/reload", ADMIN)
        await ask(client, "POST /license/reload", STRANGER)
    [line] = [each for each in caplog.messages if each.startswith("audit-")]
    assert line == (
        f"audit-reloaded: the license, read again, {told}, by "
        '"mesh-system:admin/mesh-system:admin,mesh-system:authenticated", from 127.0.0.1'
    )


async def test_the_router_answers_in_plain_text() -> None:
    async with api() as client:
        missing = await ask(client, "GET /versions", STRANGER)
        wrong = await ask(client, "DELETE /license", STRANGER)

    assert (missing.status, missing.body) == (404, b"404: Page Not Found")
    assert (wrong.status, wrong.body) == (405, b"405: Method Not Allowed")
    assert wrong.headers["allow"] == "GET"
    assert wrong.headers["content-type"] == "text/plain; charset=utf-8"


async def test_what_the_server_refuses_is_an_error_object_with_a_code() -> None:
    async with api() as client:
        answer = await ask(client, "GET /", STRANGER, "A: " + "a" * 20_000)

    error = json.loads(answer.body)
    assert (answer.status, error["title"]) == (431, "Request Header Fields Too Large")
    assert error["code"] == "headers-too-large"
