"""What becomes of a Dataplane that was registered over a stream when the proxy leaves."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.usecases.admission.seating import RECLAIM_SECONDS
from support.data_plane.proxy_streams import joined, open_plane
from support.fakes.admission import open_desk, refused, seat, take
from support.fakes.attending import (
    apply,
    delete,
    document,
    register,
    registering,
    settled,
    sidecar,
    stored,
    subscriptions,
)

STAY_SECONDS = 10

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_is_offline_at_once_and_goes_after_the_delay() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        await settled()

        await plane.hang_up(proxy)
        await settled()
        assert stored(plane.desk) == ["backend-1"]
        assert subscriptions(plane.desk) == [("run-1", False)]

        await trio.sleep(STAY_SECONDS)
        await settled()
        assert stored(plane.desk) == []
        assert stored(plane.desk, "AdmissionRegistration") == []


async def test_it_stays_when_its_proxy_has_come_back() -> None:
    async with open_plane() as plane:
        await plane.hang_up(await joined(plane))
        await trio.sleep(STAY_SECONDS / 2)

        await joined(plane)
        await trio.sleep(2 * STAY_SECONDS)
        await settled()

        assert stored(plane.desk) == ["backend-1"]


async def test_it_goes_a_delay_after_the_last_of_several_streams() -> None:
    async with open_plane() as plane:
        for _ in range(3):
            await plane.hang_up(await joined(plane))
            await trio.sleep(STAY_SECONDS * 0.8)
            await settled()
            assert stored(plane.desk) == ["backend-1"]

        await trio.sleep(STAY_SECONDS)
        await settled()
        assert stored(plane.desk) == []


async def test_it_goes_whatever_has_changed_it_meanwhile() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        await settled()
        await apply(plane.desk, sidecar(team="payments"))  # health checks write it, too

        await plane.hang_up(proxy)
        await trio.sleep(STAY_SECONDS)
        await settled()

        assert stored(plane.desk) == []


async def test_one_that_was_there_before_and_not_registered_stays() -> None:
    async with open_plane() as plane:
        await apply(plane.desk, sidecar())

        await plane.hang_up(await joined(plane, stored=True))
        await trio.sleep(2 * STAY_SECONDS)
        await settled()

        assert stored(plane.desk) == ["backend-1"]


async def test_one_that_was_made_anew_by_an_operator_stays() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        await settled()
        await delete(plane.desk)
        await proxy.over.wait()
        await apply(plane.desk, sidecar())

        await trio.sleep(2 * STAY_SECONDS)
        await settled()

        assert stored(plane.desk) == ["backend-1"]


async def test_it_stays_while_a_process_on_the_socket_has_the_seat() -> None:
    async with open_plane() as plane:
        held = await take(plane.desk)
        await plane.hang_up(await joined(plane))
        await trio.sleep(2 * STAY_SECONDS)
        await settled()
        assert stored(plane.desk) == ["backend-1"]

        plane.desk.seating.release(held)
        await settled()
        assert stored(plane.desk) == []


async def test_what_a_process_has_registered_goes_with_its_process() -> None:
    async with open_plane() as plane:
        held = await register(plane.desk)
        await plane.hang_up(await joined(plane, stored=True))
        await settled()

        plane.desk.seating.release(held)
        await trio.sleep(STAY_SECONDS + 1)
        await settled()

        assert stored(plane.desk) == []


async def test_a_control_plane_that_stops_leaves_it() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        await settled()

        proxy.stopping = True
        await plane.hang_up(proxy)
        await trio.sleep(2 * STAY_SECONDS)
        await settled()

        assert stored(plane.desk) == ["backend-1"]


async def test_it_stays_with_the_control_plane_that_its_proxy_has_moved_to() -> None:
    async with (
        open_plane(run=("one", "run-1")) as one,
        open_plane(run=("two", "run-2"), resources=one.desk.resources) as two,
    ):
        proxy = await joined(one)
        await settled()
        await one.hang_up(proxy)

        await joined(two)
        await trio.sleep(2 * STAY_SECONDS)
        await settled()

        assert stored(two.desk) == ["backend-1"]
        assert subscriptions(two.desk) == [("run-1", False), ("run-2", True)]


async def test_what_a_killed_run_left_goes_after_the_reclaim_window() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await settled()
        resources, store = plane.desk.resources, plane.desk.store
        # As if that had been killed: nothing of it runs on.
        async with open_desk(store=store, resources=resources, run=("this", "run-2")) as second:
            await trio.sleep(RECLAIM_SECONDS / 2)
            assert stored(second) == ["backend-1"]

            await trio.sleep(RECLAIM_SECONDS)
            await wait_all_tasks_blocked()
            assert stored(second) == []


async def test_a_proxy_that_is_back_after_a_kill_is_cleared_up_after_by_its_new_run() -> None:
    async with open_plane() as first:
        await joined(first)
        await settled()
        store, resources = first.desk.store, first.desk.resources
        async with open_plane(store=store, resources=resources, run=("this", "run-2")) as second:
            proxy = await joined(second)
            await trio.sleep(2 * RECLAIM_SECONDS)
            await settled()
            assert stored(second.desk) == ["backend-1"]
            assert document(second.desk, "AdmissionRegistration")["instance"] == "run-2"

            await second.hang_up(proxy)
            await trio.sleep(STAY_SECONDS)
            await settled()
            assert stored(second.desk) == []
            assert seat("backend-1") not in second.desk.store.seats


# Whose it is, for processes on the socket of this machine.


async def test_without_rules_no_process_replaces_what_a_proxy_brought_with_its_token() -> None:
    async with open_plane() as plane:
        await joined(plane)
        await settled()

        answer = await refused(plane.desk, registering(sidecar(team="mine")))

        assert answer.code is RefusalCode.DATAPLANE_STORED
        assert "was brought by a proxy with a token" in answer.reason


async def test_the_process_whose_envoy_has_brought_it_again_may_replace_it() -> None:
    async with open_plane() as plane:
        held = await register(plane.desk)
        await joined(plane)
        await settled()
        plane.desk.seating.release(held)
        await settled()
        assert stored(plane.desk) == ["backend-1"]

        await register(plane.desk, sidecar(team="mine"))

        inbound = document(plane.desk)["networking"]["inbound"][0]
        assert inbound["tags"]["team"] == "mine"
