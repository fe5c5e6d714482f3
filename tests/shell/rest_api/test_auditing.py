"""What the log tells of requests of the API."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.audit import Refusal
from kong_mesh_cp.core.identity.refusal_bounds import API
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.rest_api.auditing import telling_refusals
from kong_mesh_cp.shell.rest_api.errors import store_not_usable
from kong_mesh_cp.usecases.following.store_failures import WINDOW_SECONDS, StoreFailures
from kong_mesh_cp.usecases.identity.auditing import Refusals
from kong_mesh_cp.usecases.ports.state_store import BootClock
from support.daemons.http_peers import get, serving
from support.daemons.rest_api import Routes

JOHN = User("john")
SECRET = {"type": "GlobalSecret", "name": "s", "data": "czNjcmV0"}
PAGE = {"origin": "http://localhost:3000"}


async def handler(request: Request) -> Response | StreamingResponse:
    if request.path == "/held":
        return StreamingResponse(b"1\n", lambda stream: stream.wait_closed(), lambda: None)
    if request.path == "/open":
        return Response(200)
    return Response(403, refusal=Refusal(status=403, reason="because", user=JOHN))


def telling(handler: Handler, clock: BootClock = lambda: 0.0) -> Handler:
    return telling_refusals(handler, Refusals(API, clock), StoreFailures(clock))


async def test_a_refusal_is_reported_with_its_request_and_without_its_query(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answering = telling(handler)
    async with serving(tmp_path, answering) as server, server.client() as client:
        assert (await client.ask(get("/open"))).status == 200
        assert caplog.messages == []
        asked = get("/x/%22y?token=s3cret", "Cookie: s3cret", "X-Forwarded-For: 9.9.9.9")
        answer = await client.ask(asked)
    assert (answer.status, answer.body) == (403, b"")
    [line] = caplog.messages
    assert line == (
        r'audit-refused: 403 GET "/x/\"y", for "john/", '
        'from a socket (x-forwarded-for "9.9.9.9"): because'
    )


async def test_a_store_that_fails_every_request_has_a_line_a_minute_for_each_cause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0

    async def failing(request: Request) -> Response:
        code = request.path.removeprefix("/")
        return store_not_usable(StateError(f"of {code}", code=code, hint="Mend it."))

    async with (
        serving(tmp_path, telling(failing, lambda: now)) as server,
        server.client() as client,
    ):
        for _ in range(20):
            assert (await client.ask(get("/state-full"))).status == 500
        await client.ask(get("/store-busy"))
        now = WINDOW_SECONDS
        await client.ask(get("/state-full"))
    assert caplog.messages == [
        "store-not-usable: of state-full. Mend it.",
        "store-not-usable: of store-busy. Mend it.",
        "store-not-usable: of state-full (requests since the last such line: 20). Mend it.",
    ]


async def test_who_changes_reads_and_deletes_secrets_and_roles_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    routes = Routes()
    caplog.set_level(logging.INFO)
    by = 'by "mesh-system:admin/mesh-system:admin,mesh-system:authenticated", from 127.0.0.1'
    role = {"type": "AccessRole", "name": "r", "rules": [{"access": ["CREATE"]}]}
    for method, path, body in (
        ("PUT", "/global-secrets/s", SECRET),
        ("PUT", "/global-secrets/s", SECRET),
        ("GET", "/global-secrets/s", b""),
        ("GET", "/global-secrets", b""),
        ("DELETE", "/global-secrets/s", b""),
        ("PUT", "/access-roles/r", role),
        ("GET", "/access-roles/r", b""),
        ("PUT", "/meshes/m", {"type": "Mesh", "name": "m"}),
        ("GET", "/meshes", b""),
        ("PUT", "/meshes/m/secrets/s", {**SECRET, "type": "Secret", "mesh": "m"}),
        ("GET", "/meshes/m/secrets", b""),
        ("DELETE", "/meshes/m", b""),
    ):
        assert (await routes.ask(method, path, body)).status in {200, 201}, path
    assert [line for line in caplog.messages if line.startswith("audit-")] == [
        f'audit-changed: CREATE GlobalSecret "s", {by}',
        f'audit-changed: UPDATE GlobalSecret "s", {by}',
        f'audit-read: READ GlobalSecret "s", {by}',
        f'audit-read: READ GlobalSecret "*", {by}',
        f'audit-changed: DELETE GlobalSecret "s", {by}',
        f'audit-changed: CREATE AccessRole "r", {by}',
        f'audit-changed: CREATE Mesh "m", {by}',
        f'audit-changed: CREATE Secret "m/s", {by}',
        f'audit-read: READ Secret "m/*", {by}',
        f'audit-changed: DELETE Mesh "m", {by}',
    ]
    assert "czNjcmV0" not in caplog.text


async def test_a_refused_change_is_not_logged_as_a_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    routes = Routes()
    denied = await routes.ask("PUT", "/global-secrets/s", SECRET, local=False)
    assert (denied.status, denied.refusal is not None) == (403, True)
    assert (await routes.ask("DELETE", "/global-secrets/s")).status == 404
    assert (await routes.ask("PUT", "/global-secrets/s", {"type": "Mesh"})).status == 400
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/global-secrets"),
        ("GET", "/global-secrets/s"),
        ("GET", "/global-secrets/s?format=k8s"),
        ("PUT", "/global-secrets/s"),
        ("DELETE", "/global-secrets/s"),
        ("GET", "/meshes/default/secrets"),
        ("GET", "/secrets"),
        ("POST", "/tokens/user"),
        ("POST", "/tokens/dataplane"),
        ("POST", "/tokens/zone"),
    ],
)
async def test_no_way_to_secrets_is_open_to_foreign_pages(method: str, path: str) -> None:
    body = SECRET if method in {"PUT", "POST"} else b""
    answer = await Routes().ask(method, path, body, PAGE)
    assert (answer.status, answer.refusal is not None) == (403, True)


async def test_an_answer_without_words_is_logged_with_its_reason() -> None:
    answer = await Routes().ask("POST", "/tokens/user", b"{")
    assert (answer.status, answer.body) == (400, b"")
    assert answer.refusal is not None
    assert answer.refusal.reason.startswith("token-request-undecodable: ")
