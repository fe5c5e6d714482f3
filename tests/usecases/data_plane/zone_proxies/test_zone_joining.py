"""How zone proxies join, and what is shown of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending, NodeTold
from kong_mesh_cp.usecases.ports.resource_store import Delete, Put
from support.data_plane.proxy_streams import (
    STAY_SECONDS,
    Plane,
    Proxy,
    open_plane,
    token,
    turned_away,
    zone_token,
)
from support.fakes.admission import NOON

pytestmark = pytest.mark.usefixtures("autojump_clock")

EGRESS = ResourceKey("ZoneEgress", "", "egress-1")
INSIGHT = ResourceKey("ZoneEgressInsight", "", "egress-1")
NETWORKING = {"address": "10.6.0.1", "port": 10002}
BROUGHT = {"type": "ZoneEgress", "name": "egress-1", "networking": NETWORKING}


def zone_node(
    name: str = "egress-1", kind: str = "egress", *, brings: Mapping[str, Any] | None = None
) -> NodeTold:
    metadata: dict[str, object] = {"dataplane.proxyType": kind}
    if brings is not None:
        metadata["dataplane.resource"] = json.dumps(brings)
    return NodeTold(f".{name}", metadata)


async def with_egress(plane: Plane) -> None:
    spec = json.dumps({"zone": "default", "networking": NETWORKING})
    await plane.desk.resources.apply([Put(key=EGRESS, spec=spec, at=NOON)])


async def dialled(plane: Plane, told: NodeTold, *scope: str) -> Proxy:
    proxy = Proxy([await zone_token(plane.desk, *(scope or ("egress",)))], told)
    return await plane.dial(proxy)


async def subscriptions(plane: Plane) -> list[dict[str, Any]]:
    """Those that the insight of the egress shows, once it has had the time to."""
    await trio.sleep(1)
    found = await plane.desk.resources.get(INSIGHT)
    return [] if found is None else json.loads(found.spec)["subscriptions"]


async def test_an_egress_joins_with_a_token_of_its_zone() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        proxy = await dialled(plane, zone_node())

        assert proxy.end is None
        assert plane.publishing.watched == [".egress-1"]
        assert [each["controlPlaneInstanceId"] for each in await subscriptions(plane)] == [
            "this-run"
        ]


async def test_it_takes_no_seat_of_the_license() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        await dialled(plane, zone_node())

        assert (plane.desk.seating.active, plane.streams.connected) == (0, 1)


@pytest.mark.parametrize(
    ("scope", "zone", "reason"),
    [
        (("ingress",), "default", "out of token's scope: [ingress]"),
        (("egress",), "west", "zone from requestor: default is different than in token: west"),
    ],
)
async def test_a_token_is_for_a_zone_and_a_kind(
    scope: tuple[str, ...], zone: str, reason: str
) -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        credential = await zone_token(plane.desk, *scope, zone=zone)
        error = await turned_away(plane, Proxy([credential], zone_node()))

        assert error.code == "not-authenticated"
        assert reason in error.message


async def test_a_token_of_a_mesh_is_none() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        error = await turned_away(plane, Proxy([await token(plane.desk)], zone_node()))

        assert error.code == "not-authenticated"


async def test_without_a_resource_it_is_told_to_make_one() -> None:
    async with open_plane() as plane:
        credential = await zone_token(plane.desk, "egress")
        error = await turned_away(plane, Proxy([credential], zone_node()))

        assert error.message == (
            'resource ".egress-1" not found; create a ZoneEgress in Kuma CP first or pass it as an '
            "argument to kuma-dp"
        )


@pytest.mark.parametrize("name", [{}, {"name": None}, {"name": "egress-2"}])
async def test_what_it_brings_has_its_name(name: dict[str, object]) -> None:
    nameless = {key: value for key, value in BROUGHT.items() if key != "name"}
    async with open_plane() as plane:
        credential = await zone_token(plane.desk, "egress")
        told = zone_node(brings={**nameless, **name})
        error = await turned_away(plane, Proxy([credential], told))

        assert error.code == "node-id-invalid"
        assert "does not match the ZoneEgress" in error.message


async def test_what_it_brings_is_stored_and_goes_with_it() -> None:
    async with open_plane() as plane:
        proxy = await dialled(plane, zone_node(brings=BROUGHT))
        assert await plane.desk.resources.get(EGRESS) is not None

        await plane.hang_up(proxy)
        await trio.sleep(STAY_SECONDS + 1)
        assert await plane.desk.resources.get(EGRESS) is None


@pytest.mark.parametrize("tenths", range(-2, 4))
async def test_one_that_comes_back_when_its_resource_is_to_go_keeps_it(tenths: int) -> None:
    async with open_plane() as plane:
        proxy = await dialled(plane, zone_node(brings=BROUGHT))
        await plane.hang_up(proxy)
        await trio.sleep(STAY_SECONDS + tenths / 10)

        back = await dialled(plane, zone_node(brings=BROUGHT))
        await trio.sleep(2 * STAY_SECONDS)
        assert back.end is None
        assert await plane.desk.resources.get(EGRESS) is not None


async def test_what_was_there_before_stays() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        proxy = await dialled(plane, zone_node())
        assert ["disconnectTime" in each for each in await subscriptions(plane)] == [False]
        await plane.hang_up(proxy)
        await trio.sleep(STAY_SECONDS + 1)

        assert await plane.desk.resources.get(EGRESS) is not None
        assert ["disconnectTime" in each for each in await subscriptions(plane)] == [True]


async def test_a_new_stream_takes_the_place_of_the_one_before() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        former = await dialled(plane, zone_node())
        assert (await dialled(plane, zone_node())).end is None

        assert former.end is not None
        assert former.end.ending is Ending.ELSEWHERE
        assert plane.streams.connected == 1
        shown = await subscriptions(plane)
        assert ["disconnectTime" in each for each in shown] in ([True, False], [False])


async def test_an_ingress_of_the_same_name_is_another_proxy() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        key = ResourceKey("ZoneIngress", "", "egress-1")
        spec = json.dumps({"networking": {"address": "10.4.0.1", "port": 10001}})
        await plane.desk.resources.apply([Put(key=key, spec=spec, at=NOON)])
        egress = await dialled(plane, zone_node())
        ingress = await dialled(plane, zone_node(kind="ingress"), "ingress")

        assert (egress.end, ingress.end, plane.streams.connected) == (None, None, 2)


async def test_its_stream_ends_when_its_resource_is_deleted() -> None:
    async with open_plane() as plane:
        await with_egress(plane)
        proxy = await dialled(plane, zone_node())
        await plane.desk.resources.apply([Delete(key=EGRESS)])
        await proxy.over.wait()

        assert proxy.end is not None
        assert (proxy.end.ending, proxy.end.code) == (Ending.GONE, "zone-proxy-deleted")
