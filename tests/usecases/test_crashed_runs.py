"""What a run that was killed leaves of its proxies, and what the next one makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.seating import RECLAIM_SECONDS
from kong_mesh_cp.usecases.ports.resource_store import Delete, Put
from support.fakes.admission import furnished, open_desk, seat, services, take
from support.fakes.attending import (
    apply,
    crashed,
    document,
    register,
    settled,
    sidecar,
    stored,
    subscriptions,
)
from support.fakes.fake_resources import InterruptedStore
from support.fakes.fake_store import full_disk

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_what_a_dead_run_registered_goes_when_its_proxy_does_not_come_back() -> None:
    async with open_desk() as first:
        await register(first)
        await settled()
        async with crashed(first) as second:
            await trio.sleep(RECLAIM_SECONDS - 1)
            assert stored(second) == ["backend-1"]
            assert subscriptions(second) == [("run-1", True)]
            await trio.sleep(2)

            assert stored(second) == []
            assert stored(second, "AdmissionRegistration") == []


async def test_what_was_registered_just_before_a_crash_goes_although_no_seat_is_known() -> None:
    async with open_desk(refuses=False) as first:
        await register(first)
        assert not first.store.seats
        async with crashed(first) as second:
            await trio.sleep(RECLAIM_SECONDS + 1)

            assert stored(second) == []


async def test_a_registration_alone_is_enough_to_find_what_a_dead_run_left() -> None:
    async with open_desk(refuses=False) as first:
        await register(first)
    async with crashed(first) as second:
        assert stored(second) == ["backend-1"]
        assert stored(second, "DataplaneInsight") == []  # it died before it wrote one
        await trio.sleep(RECLAIM_SECONDS - 1)
        assert stored(second) == ["backend-1"]
        await trio.sleep(2)

        assert stored(second) == []
        assert stored(second, "AdmissionRegistration") == []


async def test_what_the_next_run_takes_over_while_it_is_removed_is_left_to_that_run() -> None:
    there = await furnished()
    store = InterruptedStore(there.resources, there.log)
    async with open_desk(resources=store) as first:
        held = await register(first)
        await settled()
        next_run = services(first.api, first.keys, first.meshes, ("this", "run-2")).records
        await next_run.start_run()

        async def take_over() -> None:
            await next_run.adopt(seat("backend-1"))

        store.meanwhile = ("AdmissionRegistration", take_over)
        first.seating.release(held)
        await settled()

        assert document(first, "AdmissionRegistration")["instance"] == "run-2"
        assert stored(first) == ["backend-1"]
        await settled()
        assert first.presence.pending == 0


async def test_what_another_control_plane_registers_anew_meanwhile_is_left_to_it() -> None:
    """All versions are the same again: only that it was made later tells the two apart."""
    there = await furnished()
    store = InterruptedStore(there.resources, there.log)
    async with open_desk(resources=store) as first:
        held = await register(first)
        await settled()
        mark = ResourceKey("AdmissionRegistration", "default", "backend-1")
        dataplane = mark._replace(type="Dataplane")
        before = dict(store.resources)

        async def register_anew() -> None:
            later = first.now[0] + timedelta(seconds=1)
            specs = {dataplane: before[dataplane].spec, mark: '{"instance": "another"}'}
            puts = [
                Put(key=key, spec=spec, owner=before[key].owner, at=later)
                for key, spec in specs.items()
            ]
            await store.apply([Delete(key=dataplane), *puts])

        store.meanwhile = ("AdmissionRegistration", register_anew)
        first.seating.release(held)
        await settled()

        assert stored(first) == ["backend-1"]


@pytest.mark.parametrize("short", [False, True])
async def test_a_proxy_that_comes_back_keeps_its_dataplane_until_it_leaves(
    short: bool,
) -> None:
    async with open_desk() as first:
        await register(first)
        await settled()
        async with crashed(first) as second:
            await trio.sleep(1)
            held = await (take(second) if short else register(second))
            await settled()
            assert subscriptions(second) == [("run-1", False), ("run-2", True)]
            await trio.sleep(RECLAIM_SECONDS)
            assert stored(second) == ["backend-1"]

            second.seating.release(held)
            await settled()
            assert stored(second) == []


async def test_a_proxy_that_comes_back_and_leaves_within_the_window_takes_it_along() -> None:
    async with open_desk() as first:
        await register(first)
        async with crashed(first) as second:
            await wait_all_tasks_blocked()
            second.seating.release(await take(second))
            await settled()

            assert stored(second) == []


async def test_a_subscription_of_a_dead_run_is_closed_when_the_window_ends() -> None:
    async with open_desk() as first:
        await apply(first, sidecar())
        await take(first)
        await settled()
        async with crashed(first) as second:
            await trio.sleep(RECLAIM_SECONDS + 1)

            assert stored(second) == ["backend-1"]
            assert subscriptions(second) == [("run-1", False)]


async def test_a_second_crash_within_the_window_forgets_nothing() -> None:
    async with open_desk() as first:
        await register(first)
        async with crashed(first) as second:
            await trio.sleep(RECLAIM_SECONDS / 2)
        async with crashed(second, run="run-3") as third:
            await trio.sleep(RECLAIM_SECONDS + 1)

            assert stored(third) == []


async def test_a_store_that_fails_at_the_end_of_the_window_is_asked_again() -> None:
    async with open_desk() as first:
        await register(first)
        async with crashed(first) as second:
            await trio.sleep(RECLAIM_SECONDS - 1)
            second.resources.failure = full_disk()
            await trio.sleep(10)
            second.resources.failure = None
            await trio.sleep(3)

            assert stored(second) == []


async def test_what_an_operator_stored_survives_everything() -> None:
    async with open_desk() as first:
        await apply(first, sidecar())
        await take(first)
        async with crashed(first) as second:
            second.seating.release(await take(second))
            await trio.sleep(RECLAIM_SECONDS + 1)

            assert stored(second) == ["backend-1"]
            assert second.seating.occupancy().reserved == 0


async def test_a_control_plane_that_stops_keeps_what_its_proxies_registered() -> None:
    async with open_desk() as first:
        held = await register(first)
        await settled()
        first.seating.keep(held)
        first.seating.release(held)
        await settled()

        assert stored(first) == ["backend-1"]
        assert seat("backend-1") in first.store.seats
