"""No request holds the event loop for as long as there are resources: admissions wait for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial

import pytest
import trio

from kong_mesh_cp.core.formats.json_text import PIECE_VALUES_MAX
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.resources.documents import LARGE_BYTES
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.sweeping import SLICE_ITEMS
from support.daemons.rest_api import Routes
from support.suites.turns import counted_turns, share_of_longest_turn, share_of_loop

FEW, MANY = 1, 401
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DATAPLANE = (
    '{"networking":{"address":"10.0.0.1","inbound":[{"port":80,"tags":{"kuma.io/service":"web"}}]}}'
)
BREAKER = (
    '{"sources":[{"match":{"kuma.io/service":"*"}}],'
    '"destinations":[{"match":{"kuma.io/service":"web"}}],"conf":{"interval":"5s"}}'
)
RETRY = (
    '{"spec":{"targetRef":{"kind":"Mesh"},"to":[{"targetRef":{"kind":"Mesh"},'
    '"default":{"tcp":{"maxConnectAttempt":2}}}]}}'
)
GATEWAY = '{"conf":{"listeners":[{"port":80,"protocol":"HTTP"}]}}'


def put(type_name: str, name: str, spec: str) -> Put:
    return Put(key=ResourceKey(type_name, "m", name), spec=spec, at=NOW, owner=mesh_key("m"))


async def filled(proxies: int, policies: int) -> Routes:
    routes = Routes()
    await routes.api.store.apply(
        [
            Put(key=mesh_key("m"), spec="{}", at=NOW),
            put("CircuitBreaker", "c", BREAKER),
            put("MeshGateway", "g", GATEWAY),
            *(put("MeshRetry", f"r-{number}", RETRY) for number in range(policies)),
            *(put("Dataplane", f"p-{number}", DATAPLANE) for number in range(proxies)),
            *(put("DataplaneInsight", f"p-{number}", "{}") for number in range(proxies)),
            put("ServiceInsight", "all-services-m", _services(proxies)),
        ]
    )
    return routes


async def turns_of(target: str, proxies: int, policies: int) -> int:
    routes = await filled(proxies, policies)
    with counted_turns() as turns:
        answer = await routes.ask("GET", target)
    assert answer.status == 200
    return turns.taken


def _services(count: int) -> str:
    services = (f'"s-{number}":{{"status":"online"}}' for number in range(count))
    return f'{{"services":{{{",".join(services)}}}}}'


@pytest.mark.parametrize(
    "target",
    [
        "/meshes/m/dataplanes?size=1000",
        "/meshes/m/dataplanes/_overview?size=1000",
        "/meshes/m/dataplanes?size=1&tag=kuma.io/service:web",
        "/meshes/m/dataplanes?size=1&gateway=builtin",
        "/meshes/m/meshretries/r-0/_resources/dataplanes?size=1",
        "/meshes/m/meshretries/r-0/dataplanes",
        "/meshes/m/circuit-breakers/c/_resources/dataplanes?size=1",
        "/meshes/m/circuit-breakers/c/dataplanes",
        "/meshes/m/meshgateways/g/dataplanes",
        "/meshes/m/service-insights?size=1",
        "/global-insight",
    ],
)
async def test_others_have_a_turn_after_every_few_proxies_that_are_looked_at(target: str) -> None:
    few, many = await turns_of(target, FEW, 1), await turns_of(target, MANY, 1)
    assert many - few >= (MANY - FEW) // SLICE_ITEMS


@pytest.mark.parametrize(
    "target",
    [
        "/meshes/m/dataplanes/p-0/_rules",
        "/meshes/m/dataplanes/p-0/policies",
        "/meshes/m/dataplanes/p-0/rules",
    ],
)
async def test_others_have_a_turn_after_every_few_policies_that_are_read(target: str) -> None:
    few, many = await turns_of(target, 1, FEW), await turns_of(target, 1, MANY)
    assert many - few >= (MANY - FEW) // SLICE_ITEMS


async def test_the_proxies_of_a_policy_are_found_without_looking_at_other_policies() -> None:
    target = "/meshes/m/meshretries/r-0/_resources/dataplanes"
    assert await turns_of(target, 1, FEW) == await turns_of(target, 1, MANY)


NOTHINGS: list[dict[str, str]] = [{}] * 5000
LABELS = {f"Label {number}": "no label" for number in range(8000)}
LARGE: dict[str, dict[str, object]] = {
    "elements that are none": {"conf": {"listeners": NOTHINGS}},
    "labels that are none": {"labels": LABELS, "conf": {}, "selectors": []},
}


@pytest.mark.parametrize("what", LARGE)
async def test_others_have_their_turns_while_a_large_body_is_checked(what: str) -> None:
    routes = await filled(1, 1)
    body = json.dumps({"type": "MeshGateway", "mesh": "m", "name": "new", **LARGE[what]}).encode()

    async def put_it() -> None:
        answer = await routes.ask("PUT", "/meshes/m/meshgateways/new", body)
        assert answer.status == 400

    assert await share_of_loop(put_it) < 0.5


async def test_others_have_their_turns_while_a_large_service_is_replaced() -> None:
    routes = await filled(1, 1)
    ports = [{"port": number + 1, "targetPort": 80} for number in range(10_000)]
    document = {"type": "MeshService", "mesh": "m", "name": "new", "spec": {"ports": ports}}

    async def put_it(status: int) -> None:
        body = json.dumps(document).encode()
        answer = await routes.ask("PUT", "/meshes/m/meshservices/new", body)
        assert answer.status == status

    await put_it(201)
    assert await share_of_longest_turn(partial(put_it, 200)) < 1 / 8


async def test_others_have_a_turn_while_a_large_resource_is_written_out() -> None:
    routes = Routes()
    tags = ",".join(f'"tag-{number}":"yes"' for number in range(3 * PIECE_VALUES_MAX))
    spec = f'{{"tags":{{{tags}}},"conf":{{}}}}'
    assert len(spec) <= LARGE_BYTES  # larger ones are not read: their text is sent as it is stored
    await routes.api.store.apply(
        [Put(key=mesh_key("m"), spec="{}", at=NOW), put("MeshGateway", "g", spec)]
    )
    with counted_turns() as turns:
        answer = await routes.ask("GET", "/meshes/m/meshgateways/g")
    assert turns.taken > len(answer.body) // (32 * 1024) > 0


@pytest.mark.parametrize(
    "target",
    [
        "/meshes/m/dataplanes?tag=kuma.io/service:web",
        "/meshes/m/meshretries/r-0/_resources/dataplanes",
        "/meshes/m/meshretries/r-0/dataplanes",
    ],
)
async def test_requests_that_look_through_a_mesh_take_turns_and_others_pass(target: str) -> None:
    routes = await filled(3, 1)
    answered: list[str] = []

    async def ask(asked: str) -> None:
        assert (await routes.ask("GET", asked)).status == 200
        answered.append(asked)

    async with trio.open_nursery() as nursery, routes.api.reading.mesh_scan_slot:
        nursery.start_soon(ask, target)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "/meshes/m/dataplanes")
        await trio.testing.wait_all_tasks_blocked()
    assert answered == ["/meshes/m/dataplanes", target]
