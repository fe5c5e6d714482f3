"""Large answers: lists in bounded pages, texts that are not read to be shown, and their turns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.rest_api.large_answers import MEDIUM_BYTES
from kong_mesh_cp.shell.rest_api.responding import (
    ANSWER_CHARACTERS_MAX,
    PAGE_CHARACTERS_MAX,
    json_response,
)
from kong_mesh_cp.usecases.ports.resource_store import Delete, Page, Put, Selection
from kong_mesh_cp.usecases.resources.documents import LARGE_BYTES
from kong_mesh_cp.usecases.resources.queries import PAGE_BYTES_MAX
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.turns import WAITING_OF_ONE_MAX
from support.daemons.rest_api import Routes

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RETRIES = "/meshes/m/meshretries"


def retry(name: str, spec: str) -> Put:
    return Put(key=ResourceKey("MeshRetry", "m", name), spec=spec, at=NOW, owner=mesh_key("m"))


def spec_of(size: int) -> str:
    return '{"spec":{"text":"' + "x" * size + '"}}'


async def filled(*specs: str) -> Routes:
    routes = Routes()
    puts = [retry(f"r-{number:03}", spec) for number, spec in enumerate(specs)]
    await routes.api.store.apply([Put(key=mesh_key("m"), spec="{}", at=NOW), *puts])
    return routes


async def pages(routes: Routes, target: str) -> list[Any]:
    found = []
    following: str | None = target
    while following is not None:
        answer = await routes.ask("GET", following)
        assert answer.status == 200, answer.body
        document = json.loads(answer.body)
        found.append(document)
        following = document["next"] and document["next"].partition("://")[2].partition("/")[2]
        following = following and f"/{following}"
    return found


@pytest.mark.parametrize("size", ["", "?size=3", "?size=1000"])
async def test_a_list_of_large_resources_comes_in_pages_of_bounded_bytes(size: str) -> None:
    count = 3 * PAGE_BYTES_MAX // 1_000_000
    routes = await filled(*[spec_of(1_000_000)] * count)
    found = await pages(routes, RETRIES + size)

    assert [each["name"] for page in found for each in page["items"]] == [
        f"r-{number:03}" for number in range(count)
    ]
    assert {page["total"] for page in found} == {count}
    assert max(len(page["items"]) for page in found) <= PAGE_BYTES_MAX // 1_000_000
    assert len(found) >= 3


async def test_a_page_has_one_resource_however_large() -> None:
    routes = await filled(spec_of(2 * PAGE_BYTES_MAX), spec_of(1), spec_of(2 * PAGE_BYTES_MAX))
    found = await pages(routes, f"{RETRIES}?size=2")

    assert [[each["name"] for each in page["items"]] for page in found] == [
        ["r-000"],
        ["r-001"],
        ["r-002"],
    ]


async def test_a_page_ends_early_where_its_text_gets_long() -> None:
    # Each element has a line of its own, so the text is many times what is stored.
    deep = "[" * 40 + ",".join(["1"] * (LARGE_BYTES // 3)) + "]" * 40
    routes = await filled(*[f'{{"spec":{deep}}}'] * 20)
    answer = await routes.ask("GET", f"{RETRIES}?size=1000")
    found = await pages(routes, f"{RETRIES}?size=1000")

    assert len(answer.body) < 2 * PAGE_CHARACTERS_MAX
    assert [len(page["items"]) for page in found][:-1] == [len(found[0]["items"])] * (
        len(found) - 1
    )
    assert sum(len(page["items"]) for page in found) == 20
    assert len(found) > 1


async def test_a_list_that_was_large_is_read_once_from_then_on() -> None:
    routes = await filled(*[spec_of(MEDIUM_BYTES // 2)] * 6)
    store = routes.api.store
    asked: list[int | None] = []

    class Counted(type(store)):  # type: ignore[misc]
        async def list(self, selection: Selection) -> Page:
            asked.append(selection.bytes_max)
            page: Page = await super().list(selection)
            return page

    store.__class__ = Counted
    first = await routes.ask("GET", RETRIES)
    again = await routes.ask("GET", RETRIES)
    assert asked == [MEDIUM_BYTES, PAGE_BYTES_MAX, PAGE_BYTES_MAX]
    assert first.body == again.body

    await store.apply([retry(f"r-{number:03}", spec_of(1)) for number in range(6)])
    small = [await routes.ask("GET", RETRIES) for _ in range(2)]
    assert asked[3:] == [PAGE_BYTES_MAX, MEDIUM_BYTES]
    assert small[0].body == small[1].body
    assert len(json.loads(small[0].body)["items"]) == 6


@pytest.mark.parametrize("count", [0, 1, 3, 50])
@pytest.mark.parametrize("size", [2, 30, 100])
async def test_a_list_is_written_as_every_other_document(count: int, size: int) -> None:
    routes = await filled(*['{"spec":{"a":[{},[],{"b":1}]}}'] * count)
    answer = await routes.ask("GET", f"{RETRIES}?size={size}")

    assert answer.body == json_text(json.loads(answer.body))


@pytest.mark.parametrize("size", [1, LARGE_BYTES - 100, LARGE_BYTES, 4 * LARGE_BYTES])
@pytest.mark.parametrize("target", [f"{RETRIES}/r-000", RETRIES])
async def test_a_resource_says_the_same_however_large_it_is(size: int, target: str) -> None:
    routes = await filled(spec_of(size))
    answer = json.loads((await routes.ask("GET", target)).body)
    one = answer["items"][0] if "items" in answer else answer

    assert one["spec"] == {"text": "x" * size}
    assert list(one)[:3] == ["type", "mesh", "name"]
    assert (one["type"], one["mesh"], one["name"]) == ("MeshRetry", "m", "r-000")


async def test_a_large_resource_keeps_its_status_and_labels() -> None:
    routes = await filled()
    key = ResourceKey("MeshService", "m", "s")
    put = Put(
        key=key,
        spec=spec_of(2 * LARGE_BYTES),
        status='{"vips":[]}',
        labels={"a": "b"},
        at=NOW,
        owner=mesh_key("m"),
    )
    await routes.api.store.apply([put])

    one = json.loads((await routes.ask("GET", "/meshes/m/meshservices/s")).body)
    assert (one["status"], one["labels"]) == ({"vips": []}, {"a": "b"})


async def test_a_large_overview_has_all_its_parts() -> None:
    routes = await filled()
    key = ResourceKey("Dataplane", "m", "d")
    networking = '{"networking":{"address":"10.0.0.1"},"padding":"' + "x" * LARGE_BYTES + '"}'
    insight = '{"subscriptions":[{"id":"1"}]}'
    await routes.api.store.apply(
        [
            Put(key=key, spec=networking, at=NOW, owner=mesh_key("m")),
            Put(key=ResourceKey("DataplaneInsight", "m", "d"), spec=insight, at=NOW, owner=key),
        ]
    )

    one = json.loads((await routes.ask("GET", "/meshes/m/dataplanes/d/_overview")).body)
    assert one["type"] == "DataplaneOverview"
    assert one["dataplane"] == json.loads(networking)
    assert one["dataplaneInsight"] == json.loads(insight)

    await routes.api.store.apply([Delete(key=ResourceKey("DataplaneInsight", "m", "d"))])
    one = json.loads((await routes.ask("GET", "/meshes/m/dataplanes/d/_overview")).body)
    assert one["dataplaneInsight"] == {}


async def test_an_answer_beyond_all_bounds_is_refused() -> None:
    many = ["x" * 1000] * (ANSWER_CHARACTERS_MAX // 1000 + 1)

    with pytest.raises(ResourceRefusedError) as error:
        await json_response({"items": many})
    assert error.value.fault is Fault.TOO_LARGE


async def test_large_lists_are_made_one_at_a_time_and_many_at_once_are_refused() -> None:
    routes = await filled(*[spec_of(400_000)] * 5)
    statuses: list[int] = []

    async def ask() -> None:
        answer = await routes.ask("GET", RETRIES)
        statuses.append(answer.status)
        if answer.status == 503:
            assert dict(answer.headers)["Retry-After"] == "1"
            assert json.loads(answer.body)["code"] == "resource-busy"

    async with trio.open_nursery() as nursery:
        for _ in range(WAITING_OF_ONE_MAX + 30):
            nursery.start_soon(ask)
    # All ask as the same user, who has at most half of the line.
    assert statuses.count(200) > WAITING_OF_ONE_MAX
    assert statuses.count(503) == len(statuses) - statuses.count(200) > 0
