from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.identity.audit import Source
from kong_mesh_cp.core.license.term import instant
from kong_mesh_cp.shell.admission_socket.routes import KEY_CALLS
from kong_mesh_cp.shell.http.messages import Request, Response
from support.daemons.admission_socket import (
    ADMISSIONS,
    admission,
    first_line,
    next_line,
    open_socket,
    problem_of,
    this_user,
)
from support.daemons.http_peers import get, post
from support.fakes.admission import NOON, body, gateway_body, proxies


async def test_the_answer_to_an_admission_stays_open_and_is_the_seat(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened:
        async with opened.client() as client:
            await client.send(admission(body()))
            line = await first_line(client)

            assert line["decision"] == "admitted"
            assert line["seat"]["name"] == "backend-1"
            assert line["license"] == {"allowed": 5, "active": 1, "daysLeft": 29, "demo": True}
            await opened.until_active(1)
        await opened.until_active(0)


async def test_a_seat_is_freed_by_half_closing_too(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        await client.send(admission(body()))
        await first_line(client)

        await client.stream.send_eof()

        await opened.until_active(0)


async def test_what_a_client_sends_on_its_seat_changes_nothing(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        await client.send(admission(body()))
        await first_line(client)

        await client.send(get("/v1/ready"))
        opened.desk.seating.broadcast({"event": "license-warning", "code": "x"})
        await client._until(b"\r\n")  # end of the first chunk
        await client._until(b"\r\n")  # size of the second

        assert await next_line(client) == {"event": "license-warning", "code": "x"}
        assert opened.desk.seating.active == 1


async def test_the_last_seat_goes_to_one_of_two_and_comes_back(tmp_path: Path) -> None:
    async with open_socket(tmp_path, limit=1) as opened:
        async with opened.client() as client:
            await client.send(admission(body("a")))
            await first_line(client)
            answer = await opened.ask(admission(body("b")))
            refused = problem_of(answer)
        await opened.until_active(0)
        async with opened.client() as client:
            await client.send(admission(body("b")))
            assert (await first_line(client))["seat"]["name"] == "b"

    assert (answer.status, refused["code"]) == (403, "license-limit")
    assert answer.headers["retry-after"] == str(refused["retryAfterSeconds"])


@pytest.mark.parametrize("query", ["", "?dryRun=true"])
async def test_a_mesh_that_does_not_take_the_proxy_says_why(tmp_path: Path, query: str) -> None:
    async with open_socket(tmp_path) as opened:
        payments = proxies(require=[{"team": "payments"}])
        opened.desk.meshes.constrained["default"] = payments
        answer = await opened.ask(admission(body(team="x"), query=query))

    document = problem_of(answer)
    assert (answer.status, document["code"]) == (403, "mesh-constraint")
    assert "retry-after" not in answer.headers
    assert "team=payments" in document["hint"]
    assert document["constraint"] == {
        "field": "constraints.dataplaneProxy.requirements",
        "tags": [{"team": "payments"}],
        "found": {"team": "x", "kuma.io/zone": "default"},
    }


async def test_gateways_join_a_full_mesh(tmp_path: Path) -> None:
    async with open_socket(tmp_path, limit=0) as opened, opened.client() as client:
        await client.send(admission(gateway_body()))

        assert (await first_line(client))["seat"]["counted"] is False


async def test_dry_runs_decide_on_one_connection_and_take_nothing(tmp_path: Path) -> None:
    async with open_socket(tmp_path, limit=1) as opened, opened.client() as client:
        for _ in range(3):
            answer = await client.ask(admission(body(), query="?dryRun=true"))
            assert answer.status == 200
            assert json.loads(answer.body)["decision"] == "admitted"
        assert opened.desk.seating.active == 0


async def test_a_dry_run_says_no_in_the_same_words(tmp_path: Path) -> None:
    async with open_socket(tmp_path, limit=0) as opened:
        dry = await opened.ask(admission(body(), query="?dryRun=true"))
        real = await opened.ask(admission(body()))

    assert (dry.status, dry.body) == (real.status, real.body)


async def test_dry_run_false_is_an_admission(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        await client.send(admission(body(), query="?dryRun=false"))
        await first_line(client)

        assert opened.desk.seating.active == 1


@pytest.mark.parametrize(
    "query", ["?dryrun=true", "?dryRun=1", "?dryRun", "?dryRun=true&kind=egress", "?kind=egress"]
)
async def test_a_misspelt_query_takes_no_seat(tmp_path: Path, query: str) -> None:
    async with open_socket(tmp_path) as opened:
        answer = await opened.ask(admission(body(), query=query))

        assert (answer.status, problem_of(answer)["code"]) == (400, "malformed-request")
        assert opened.desk.seating.active == 0


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (b"", 400, "malformed-request"),
        (b"not json", 400, "malformed-request"),
        (b"[" * 60_000, 400, "malformed-request"),
        (b'{"mesh":"default","name":"x","unknown":1}', 400, "malformed-request"),
        (b'{"dataplane":{"type":"Dataplane"}}', 400, "invalid-dataplane"),
        (body(mesh="nowhere"), 404, "mesh-not-found"),
    ],
)
async def test_a_refusal_is_a_problem_document(
    tmp_path: Path, asked: bytes, status: int, code: str
) -> None:
    async with open_socket(tmp_path) as opened:
        answer = await opened.ask(admission(asked))

    assert answer.status == status
    assert problem_of(answer)["code"] == code


async def test_an_invalid_dataplane_lists_its_parameters(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened:
        refused = problem_of(await opened.ask(admission(b'{"dataplane":{"type":"Dataplane"}}')))

    assert [parameter["field"] for parameter in refused["invalid_parameters"]] == [
        "mesh",
        "name",
        "networking",
    ]


async def test_the_same_name_is_refused_while_it_is_held(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        await client.send(admission(body()))
        await first_line(client)

        again = await opened.ask(admission(body()))
        elsewhere = await opened.ask(admission(body(mesh="other")))

    assert (again.status, problem_of(again)["code"]) == (409, "already-joined")
    assert (elsewhere.status, problem_of(elsewhere)["code"]) == (409, "already-joined")


async def test_a_client_that_comes_back_at_once_is_not_refused_by_its_ghost(
    tmp_path: Path,
) -> None:
    async with open_socket(tmp_path, limit=1) as opened:
        for _ in range(50):
            async with opened.client() as client:
                await client.send(admission(body()))
                line = await first_line(client)
                assert line["license"]["active"] == 1
        await opened.until_active(0)


async def test_the_list_shows_seat_peer_and_time(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        await client.send(admission(body()))
        await first_line(client)

        listed = json.loads((await opened.ask(get(ADMISSIONS))).body)

    assert listed["total"] == 1
    (item,) = listed["items"]
    assert item["seat"]["name"] == "backend-1"
    assert item["peer"].keys() == {"uid", "pid", "unit"}
    assert item["peer"]["uid"] == this_user()
    assert item["since"] == instant(NOON)


async def test_rules_are_held_against_the_real_peer(tmp_path: Path) -> None:
    mine = Rule(uid=this_user(), name="mine", tags={"team": "payments"})
    async with open_socket(tmp_path, rules=[mine]) as opened:
        async with opened.client() as client:
            await client.send(admission(body("mine")))
            assert (await first_line(client))["tags"] == {"team": "payments"}
        refused = problem_of(await opened.ask(admission(body("yours"))))

    assert refused["code"] == "identity"
    assert [
        (selector["selector"], selector["matched"]) for selector in refused["rules"][0]["selectors"]
    ] == [("uid", True), ("name", False)]


async def test_ready_and_license_answer(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        ready = await client.ask(get("/v1/ready"))
        license_ = await client.ask(get("/v1/license"))

    assert (ready.status, json.loads(ready.body)) == (200, {"ready": True})
    assert (license_.status, json.loads(license_.body)) == (200, {"id": "abc"})


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (990, True), (1000, False)])
async def test_only_root_and_the_daemons_user_reload(
    tmp_path: Path, uid: int, *, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with open_socket(tmp_path, uid=uid, own_uid=990) as opened:
        answer = await opened.ask(post(b"", path="/v1/license/reload"))

    assert (answer.status == 200) is allowed
    assert bool(opened.reloads) is allowed
    if not allowed:
        assert (answer.status, problem_of(answer)["code"]) == (403, "admin-only")
    told = (
        f"audit-reloaded: the license, read again, can be used, from uid {uid}"
        if allowed
        else 'audit-refused: 403 POST "/v1/license/reload", for nobody known, '
        f"from uid {uid}: admin-only: uid {uid} may not reload the license"
    )
    assert caplog.messages == [told]


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (990, True), (1000, False)])
async def test_only_root_and_the_daemons_user_ask_about_keys(
    tmp_path: Path, uid: int, *, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    asked: list[tuple[str, str]] = []

    async def answer(name: str, _: Request, source: Source) -> Response:
        asked.append((name, str(source)))
        return Response(200, b"{}")

    async with open_socket(tmp_path, uid=uid, own_uid=990) as opened:
        opened.admission.serve_keys(answer)
        for path, method, _ in KEY_CALLS:
            target = path.format(mesh="m", series="user", serial="1", token="t")
            told = await opened.ask(get(target).replace(b"GET", method.encode(), 1))
            assert (told.status == 200) is allowed
            if not allowed:
                assert (told.status, problem_of(told)["code"]) == (403, "admin-only")

    names = [(name, f"uid {uid}") for _, _, name in KEY_CALLS]
    assert asked == (names if allowed else [])
    assert ("audit-refused: 403 GET" in caplog.text) is not allowed


async def test_keys_are_not_known_before_resources_are_served(tmp_path: Path) -> None:
    async with open_socket(tmp_path, uid=0) as opened:
        told = await opened.ask(get("/v1/signing-keys"))
    assert (told.status, problem_of(told)["code"]) == (503, "starting")


async def test_unknown_paths_and_methods_are_answered_with_what_there_is(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        unknown = await client.ask(get("/v2/admissions"))
        method = await client.ask(b"PUT /v1/ready HTTP/1.1\r\nHost: l\r\nContent-Length: 0\r\n\r\n")

    assert (unknown.status, problem_of(unknown)["code"]) == (404, "not-found")
    assert (method.status, problem_of(method)["code"]) == (405, "method-not-allowed")
    assert method.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "header",
    [
        "Origin: http://localhost",
        "Referer: http://localhost/",
        "Sec-Fetch-Site: none",
        "X-Forwarded-For: 127.0.0.1",
        "X_Real_IP: 127.0.0.1",
        "Via: 1.1 x",
    ],
)
async def test_browsers_and_clients_of_proxies_are_not_served(tmp_path: Path, header: str) -> None:
    async with open_socket(tmp_path) as opened:
        answer = await opened.ask(admission(body(), header))

        assert (answer.status, problem_of(answer)["code"]) == (400, "malformed-request")
        assert opened.desk.seating.active == 0


async def test_what_is_no_http_gets_a_problem_document(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened:
        answer = await opened.ask(b"\x16\x03\x01\r\n\r\n")

    assert (answer.status, problem_of(answer)["code"]) == (400, "malformed-request")


async def test_at_shutdown_seats_are_kept_in_the_store(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as stays, opened.client() as left:
        for client, name in ((stays, "stays"), (left, "left")):
            await client.send(admission(body(name)))
            await first_line(client)
        await left.stream.aclose()
        await opened.until_active(1)

        opened.drain.start()
        await stays.rest()
        await opened.desk.recorder.durable()

        assert [seat.name for seat in opened.desk.store.seats] == ["stays"]


async def test_a_seat_that_is_admitted_during_shutdown_is_kept_too(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        # The drain begins while the handler waits for the disk.
        await client.send(admission(body()))
        await opened.until_active(1)
        opened.drain.start()
        answer = await client.rest()
        await trio.testing.wait_all_tasks_blocked()
        await opened.desk.recorder.durable()

        assert b'"decision":"admitted"' in answer
        assert [seat.name for seat in opened.desk.store.seats] == ["backend-1"]


async def test_sixty_four_clients_at_once_get_five_seats(tmp_path: Path) -> None:
    async with open_socket(tmp_path, limit=5) as opened:
        admitted: list[str] = []
        most = 0

        async def live(name: str) -> None:
            nonlocal most
            for _ in range(5):
                async with opened.client() as client:
                    await client.send(admission(body(name)))
                    head = await client._until(b"\r\n\r\n")
                    if head.startswith(b"HTTP/1.1 200"):
                        await client._until(b"}\n")
                        admitted.append(name)
                        most = max(most, opened.desk.seating.active)
                        assert opened.desk.seating.active <= 5

        async with trio.open_nursery() as nursery:
            for number in range(64):
                nursery.start_soon(live, f"p-{number}")
        await opened.until_active(0)
        await opened.desk.recorder.durable()

        assert len(admitted) >= 5
        assert most == 5
        assert opened.desk.store.seats == {}
