"""What Prometheus asks, and how it is answered (docs/wire/metrics.md#assignments)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.monitoring.handler import (
    FETCH_SECONDS_MAX,
    PATH,
    TARGETS,
    monitoring_handler,
)
from kong_mesh_cp.usecases.monitoring.monitored_meshes import Told
from kong_mesh_cp.usecases.monitoring.scrape_assignments import Assignment
from support.daemons.http_peers import Answer, Client, get, serving
from support.suites.turns import share_of_longest_turn

TYPE = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment"
WEB = Assignment(
    mesh="m",
    proxy="web-1",
    service="web",
    scheme="http",
    address="10.0.0.1:9",
    path="/m",
    labels={"version": "1"},
)


class Asking:
    """A client, and what the handler has asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.fetched: list[tuple[str, str, float]] = []

    async def ask(self, body: object, query: str = "") -> Answer:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"POST {PATH}{query} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(text)}\r\n\r\n"
        return await self._client.ask(head.encode() + text)

    async def get(self, path: str) -> Answer:
        return await self._client.ask(get(path))


@asynccontextmanager
async def asking(folder: Path, told: Told | StateError | None) -> AsyncIterator[Asking]:
    async def fetch(client: str, known: str, seconds: float) -> Told | None:
        stage.fetched.append((client, known, seconds))
        if isinstance(told, StateError):
            raise told
        return told

    async with (
        serving(folder, monitoring_handler(fetch, 30.0)) as server,
        server.client() as client,
    ):
        stage = Asking(client)
        yield stage


async def test_an_answer_is_a_discovery_response(tmp_path: Path) -> None:
    async with asking(tmp_path, Told("v1", (WEB,))) as stage:
        answer = await stage.ask({"version_info": "v0", "node": {"id": "own"}, "type_url": TYPE})
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "version_info": "v1",
        "resources": [
            {
                "@type": TYPE,
                "mesh": "m",
                "service": "web",
                "targets": [
                    {
                        "name": "web-1",
                        "scheme": "http",
                        "address": "10.0.0.1:9",
                        "metrics_path": "/m",
                        "labels": {"version": "1"},
                    }
                ],
            }
        ],
        "type_url": TYPE,
    }
    assert stage.fetched == [("own", "v0", 30.0)]


async def test_both_spellings_of_json_are_read_and_all_may_be_left_out(tmp_path: Path) -> None:
    async with asking(tmp_path, Told("v1", ())) as stage:
        await stage.ask({"versionInfo": "v0", "node": None})
        answer = await stage.ask({})
    assert stage.fetched == [("", "v0", 30.0), ("", "", 30.0)]
    assert "resources" not in json.loads(answer.body)


async def test_nothing_new_is_304(tmp_path: Path) -> None:
    async with asking(tmp_path, None) as stage:
        answer = await stage.ask({"version_info": "v1"})
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("5s", 5.0), ("1m30s", 90.0), ("0", 0.0), ("-1s", 0.0), ("24h", FETCH_SECONDS_MAX)],
)
async def test_how_long_it_waits_is_said_in_the_query(
    tmp_path: Path, query: str, seconds: float
) -> None:
    async with asking(tmp_path, None) as stage:
        await stage.ask({}, f"?fetch-timeout={query}")
    assert stage.fetched == [("", "", seconds)]


@pytest.mark.parametrize(
    ("body", "query", "title"),
    [
        (b"{", "", "Could not parse request body"),
        ([], "", "Could not parse request body"),
        ({"node": "own"}, "", "Could not parse request body"),
        ({"node": {"id": 1}}, "", "Could not parse request body"),
        ({"version_info": {}}, "", "Could not parse request body"),
        ({}, "?fetch-timeout=soon", "Could not parse fetch-timeout"),
    ],
)
async def test_what_cannot_be_read_is_400(
    tmp_path: Path, body: object, query: str, title: str
) -> None:
    async with asking(tmp_path, None) as stage:
        answer = await stage.ask(body, query)
    assert answer.status == 400
    assert json.loads(answer.body)["title"] == title
    assert stage.fetched == []


async def test_a_store_that_fails_is_503(tmp_path: Path) -> None:
    failure = StateError("it burns", code="state-io", hint="Put it out.")
    async with asking(tmp_path, failure) as stage:
        assert (await stage.ask({})).status == 503
        assert (await stage.get("/targets")).status == 503


async def test_targets_are_those_of_http_sd(tmp_path: Path) -> None:
    async with asking(tmp_path, Told("v1", (WEB,))) as stage:
        answer = await stage.get("/targets?client=own")
    assert answer.headers["content-type"] == "application/json"
    (target,) = json.loads(answer.body)
    assert target["targets"] == ["10.0.0.1:9"]
    assert target["labels"]["__metrics_path__"] == "/m"
    assert target["labels"]["__meta_kuma_label_version"] == "1"
    assert stage.fetched == [("own", "", 0.0)]


async def test_anything_else_is_not_there(tmp_path: Path) -> None:
    async with asking(tmp_path, None) as stage:
        assert (await stage.get("/metrics")).status == 404
        assert (await stage.get(PATH)).status == 405


@pytest.mark.parametrize("path", [PATH, TARGETS])
async def test_others_have_their_turns_while_a_long_answer_is_written(
    tmp_path: Path, path: str
) -> None:
    many = Told("v1", tuple(replace(WEB, proxy=f"web-{number}") for number in range(10_000)))
    async with asking(tmp_path, many) as stage:

        async def ask() -> None:
            answer = await (stage.ask({}) if path == PATH else stage.get(path))
            assert b'"web-9999"' in answer.body

        assert await share_of_longest_turn(ask) < 1 / 4
