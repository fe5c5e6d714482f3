"""However proxies come and go, through either door, the limit is exact."""

from __future__ import annotations

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from kong_mesh_cp.usecases.admission.seating import HeldSeat
from support.data_plane.proxy_streams import Proxy, newcomer, open_plane
from support.fakes.admission import body
from support.fakes.attending import (
    settled,
)
from support.fakes.peers import FakePeer

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["dial", "dial", "vanish", "half-close", "ask", "ask", "release"]), NAMES
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=30, deadline=None)
def test_the_limit_is_exact_whoever_comes_and_goes_through_either_door(
    steps: list[tuple[str, str]],
) -> None:
    async def run() -> None:
        async with open_plane(limit=2) as plane:
            streams: dict[str, Proxy] = {}
            processes: dict[str, HeldSeat] = {}

            def there() -> set[str]:
                return {name for name, each in streams.items() if not each.over.is_set()} | {
                    *processes
                }

            for step, name in steps:
                before = there()
                may = name in before or len(before) < 2
                match step:
                    case "dial":
                        proxy = await plane.dial(await newcomer(plane, name))
                        fights = proxy.end is not None and proxy.end.code == "already-active"
                        assert fights or (proxy.end is None) == may
                        if proxy.end is None:
                            streams[name] = proxy
                    case "ask" if name not in processes:
                        held = await plane.desk.admitting.admit(body(name), FakePeer())
                        assert isinstance(held, HeldSeat) == may
                        if isinstance(held, HeldSeat):
                            processes[name] = held
                    case "release" if name in processes:
                        plane.desk.seating.release(processes.pop(name))
                    case "vanish" if name in streams:
                        await plane.hang_up(streams.pop(name))
                    case "half-close" if name in streams:
                        streams.pop(name).half_close()
                        await wait_all_tasks_blocked()
                    case _:
                        pass
                assert plane.desk.seating.active == len(there()) <= 2
            await settled()
            assert {each.name for each in plane.desk.store.seats} == there()

    trio.run(run, clock=MockClock(autojump_threshold=0))
