"""Seats of proxies on streams, in the one ledger that processes on the socket are in, too."""

from __future__ import annotations

import pytest
import trio

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.doors import Door
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatRecord
from kong_mesh_cp.usecases.admission.seating import RECLAIM_SECONDS
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending
from kong_mesh_cp.usecases.data_plane.takeovers import PEACE_SECONDS
from support.data_plane.proxy_streams import Plane, Proxy, joined, newcomer, open_plane, turned_away
from support.fakes.admission import NOON, body, seat, take
from support.fakes.attending import (
    Connection,
    delete,
    delete_mesh,
    gateway,
    settled,
    sidecar,
    stored,
    subscriptions,
)
from support.fakes.fake_slots import FakeSlots, SharedTable
from support.fakes.peers import FakePeer

pytestmark = pytest.mark.usefixtures("autojump_clock")

FULL = (
    "license-limit: all 2 seats of the pre-bundled license are taken. Stop a data plane proxy, or "
    "set KMESH_LICENSE_PATH to an issued license and run: systemctl restart kong-mesh-cp"
)


async def at_bootstrap(plane: Plane, name: str) -> Refused | None:
    """What a sidecar is told before its Envoy starts."""
    return await plane.desk.seating.refusal_of(seat(name), ProxyKind.SIDECAR, Door.STREAM)


async def test_one_too_many_is_refused_with_the_words_that_bootstrap_has() -> None:
    async with open_plane(limit=2) as plane:
        await joined(plane, "a")
        await joined(plane, "b")

        end = await turned_away(plane, await newcomer(plane, "c"))

        assert (end.ending, end.code, end.message) == (Ending.FULL, "license-limit", FULL)
        refused = await at_bootstrap(plane, "c")
        assert refused is not None
        assert refused.text == FULL
        assert stored(plane.desk) == ["a", "b"]
        assert plane.desk.seating.decisions["refused", "license-limit"] == 1


async def test_a_known_proxy_is_told_at_bootstrap_that_it_may_come_back() -> None:
    async with open_plane(limit=1) as plane:
        await joined(plane, "a")

        assert await at_bootstrap(plane, "a") is None
        assert plane.desk.seating.active == 1


async def test_it_comes_in_when_a_seat_is_freed() -> None:
    async with open_plane(limit=1) as plane:
        first = await joined(plane, "a")
        await turned_away(plane, await newcomer(plane, "b"))
        await plane.hang_up(first)

        await joined(plane, "b")

        assert plane.desk.seating.active == 1


async def test_under_an_issued_license_nobody_is_turned_away() -> None:
    async with open_plane(limit=1, refuses=False) as plane:
        for name in "abc":
            await joined(plane, name)

        assert plane.desk.seating.active == 3
        assert plane.desk.seating.decisions["admitted", "over-limit"] == 2


async def test_the_quota_of_a_mesh_holds_on_streams_too() -> None:
    async with open_plane(refuses=False, quotas=MeshQuotas({"default": 1})) as plane:
        await joined(plane, "a")
        await joined(plane, "a", "other")

        end = await turned_away(plane, await newcomer(plane, "b"))

        assert (end.ending, end.code) == (Ending.FULL, "mesh-quota")
        assert end.message.startswith("mesh-quota: mesh default may have 1 data plane proxies")


async def test_proxies_of_one_name_in_two_meshes_are_two() -> None:
    async with open_plane(limit=2) as plane:
        await joined(plane, "a", "default")
        await joined(plane, "a", "other")

        assert plane.desk.seating.active == 2


# One proxy through both doors.


async def test_a_process_with_its_envoy_has_one_seat() -> None:
    async with open_plane(limit=1) as plane:
        held = await take(plane.desk, "a")

        proxy = await joined(plane, "a")
        assert plane.desk.seating.active == 1

        plane.desk.seating.release(held)
        assert plane.desk.seating.active == 1
        assert isinstance(await plane.desk.admitting.admit(body("b"), FakePeer()), Refused)

        await plane.hang_up(proxy)
        assert plane.desk.seating.active == 0
        assert plane.desk.store.seats.keys() <= {seat("a")}


async def test_an_envoy_that_came_first_is_joined_by_its_process() -> None:
    async with open_plane(limit=1) as plane:
        proxy = await joined(plane, "a")
        await settled()

        held = await take(plane.desk, "a")
        await plane.hang_up(proxy)
        await settled()

        assert plane.desk.seating.active == 1
        assert subscriptions(plane.desk, "a") == [("run-1", False), ("run-1", True)]
        plane.desk.seating.release(held)
        assert plane.desk.seating.active == 0


async def test_a_second_process_of_a_name_is_refused_though_its_envoy_is_there() -> None:
    async with open_plane() as plane:
        await take(plane.desk, "a")
        await joined(plane, "a")

        refused = await plane.desk.admitting.admit(body("a"), FakePeer())

        assert isinstance(refused, Refused)
        assert refused.code is RefusalCode.ALREADY_JOINED


async def test_a_gateway_does_not_make_room_for_a_sidecar_of_its_name() -> None:
    async with open_plane(limit=0) as plane:
        await joined(plane, "a", brings=gateway("a"))

        end = await turned_away(plane, await newcomer(plane, "a", brings=sidecar("a")))

        assert end.ending is Ending.FULL


# A connection that is dead, and two proxies with one name.


async def test_a_new_connection_of_a_proxy_takes_the_place_of_one_that_nobody_knows_is_dead() -> (
    None
):
    async with open_plane(limit=1) as plane:
        dead = await joined(plane, "a")
        await settled()

        await joined(plane, "a")
        await dead.over.wait()

        assert dead.end is not None
        assert (dead.end.ending, dead.end.code) == (Ending.ELSEWHERE, "stream-superseded")
        assert plane.desk.seating.active == 1
        await settled()
        assert subscriptions(plane.desk, "a") == [("run-1", False), ("run-1", True)]


async def test_a_second_stream_of_one_connection_is_refused_for_that_one_lives() -> None:
    async with open_plane() as plane:
        first = await joined(plane, "a")
        second = await newcomer(plane, "a")
        second.connection = first.connection

        end = await turned_away(plane, second)

        assert end.message == ("there is already an active stream from this node, try again later")
        assert first.end is None
        assert plane.desk.seating.active == 1


async def test_two_proxies_of_one_name_do_not_displace_each_other_without_end() -> None:
    async with open_plane() as plane:
        await joined(plane, "a")
        winner = await joined(plane, "a")

        end = await turned_away(plane, await newcomer(plane, "a"))
        assert end.code == "already-active"
        assert winner.end is None

        await trio.sleep(PEACE_SECONDS + 1)
        await joined(plane, "a")


async def test_a_stranger_does_not_take_the_place_of_a_proxy() -> None:
    async with open_plane() as plane:
        own = await joined(plane, "a")
        stranger = await newcomer(plane, "b")
        own_node = (await newcomer(plane, "a")).node

        end = await turned_away(plane, Proxy(stranger.credentials, own_node))

        assert end.message.startswith("authentication failed: proxy name from requestor: a")
        assert own.end is None


# What ends a stream.


async def test_a_stream_ends_with_its_dataplane() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane, "a")
        await settled()

        await delete(plane.desk, "a")
        await proxy.over.wait()

        assert proxy.end is not None
        assert proxy.end.ending is Ending.GONE
        assert proxy.end.message == (
            "dataplane-deleted: the Dataplane a of mesh default was deleted"
        )
        assert plane.desk.seating.active == 0


async def test_a_stream_ends_with_its_mesh() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane, "a")

        await delete_mesh(plane.desk)
        await proxy.over.wait()

        assert proxy.end is not None
        assert proxy.end.message == "mesh-deleted: there is no mesh default any more"


async def test_both_doors_close_with_the_dataplane() -> None:
    async with open_plane() as plane:
        held = await take(plane.desk, "a")
        process = Connection(plane.desk, held)
        proxy = await joined(plane, "a")
        await settled()

        await delete(plane.desk, "a")
        await proxy.over.wait()

        assert process.ended
        assert process.events[0]["code"] == "dataplane-deleted"


async def test_a_stop_of_the_control_plane_frees_no_seat() -> None:
    async with open_plane(limit=1) as plane:
        proxy = await joined(plane, "a")
        await settled()

        proxy.stopping = True
        await plane.hang_up(proxy)
        await settled()

        assert seat("a") in plane.desk.store.seats
        assert stored(plane.desk) == ["a"]


async def test_who_was_there_before_a_restart_does_not_lose_its_seat_to_a_newcomer() -> None:
    async with open_plane(limit=1) as plane:
        plane.desk.seating.reserve([SeatRecord(seat("known"), ProxyKind.SIDECAR, NOON)])

        end = await turned_away(plane, await newcomer(plane, "new"))
        assert "1 of them kept for proxies from before the restart" in end.message
        await joined(plane, "known")


async def test_seats_from_before_are_free_after_the_reclaim_window() -> None:
    async with open_plane(limit=1) as plane:
        records = [SeatRecord(seat("known"), ProxyKind.SIDECAR, NOON)]
        plane.desk.seating.reserve(records)
        plane.nursery.start_soon(plane.desk.seating.run, records)

        await trio.sleep(RECLAIM_SECONDS + 1)

        await joined(plane, "new")


# Several control planes.


async def test_a_proxy_that_moves_has_one_seat_and_is_online_once() -> None:
    table = SharedTable()
    async with (
        open_plane(limit=1, slots=FakeSlots(table, "one"), run=("one", "run-1")) as one,
        open_plane(
            limit=1,
            slots=FakeSlots(table, "two"),
            run=("two", "run-2"),
            resources=one.desk.resources,
        ) as two,
    ):
        left_behind = await joined(one, "a")
        await settled()

        await joined(two, "a")
        await settled()
        assert subscriptions(two.desk, "a") == [("run-1", False), ("run-2", True)]

        await left_behind.over.wait()
        await trio.sleep(60)  # what is left to be cleared is cleared
        await settled()

        assert left_behind.end is not None
        assert left_behind.end.ending is Ending.ELSEWHERE
        assert one.desk.seating.active == two.desk.seating.active == 1
        assert subscriptions(two.desk, "a") == [("run-1", False), ("run-2", True)]
        assert stored(two.desk) == ["a"]


async def test_one_too_many_is_refused_over_all_control_planes() -> None:
    table = SharedTable()
    async with (
        open_plane(limit=1, slots=FakeSlots(table, "one"), run=("one", "run-1")) as one,
        open_plane(
            limit=1,
            slots=FakeSlots(table, "two"),
            run=("two", "run-2"),
            resources=one.desk.resources,
        ) as two,
    ):
        await joined(one, "a")

        end = await turned_away(two, await newcomer(two, "b"))

        assert end.ending is Ending.FULL
        assert end.message.startswith("license-limit: all 1 seats")
        refused = await at_bootstrap(two, "b")
        assert refused is not None
        assert refused.code is RefusalCode.LICENSE_LIMIT
