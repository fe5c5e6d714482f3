from __future__ import annotations

import math
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.settings.model import AdmissionLimitsSettings
from kong_mesh_cp.shell.admission_socket.limits import (
    BODY_BYTES_MAX,
    REQUEST_SECONDS,
    RESERVED_CONNECTIONS,
    UID_REQUESTS_PER_SECOND,
    UIDS_TRACKED_MAX,
    PeerConnections,
    SocketPlaces,
    UidRates,
)
from kong_mesh_cp.shell.listening.peer import Credentials, Peer
from support.daemons.admission_socket import (
    ADMISSIONS,
    admission,
    first_line,
    open_socket,
    problem_of,
)
from support.daemons.http_peers import Client, get
from support.fakes.admission import body

SOMEBODY = 1000
BURST = 150
FEW = SocketPlaces(connections=96, connections_per_user=10)


def test_the_limits_are_those_of_the_contract() -> None:
    places = SocketPlaces()
    assert BODY_BYTES_MAX == places.limits.body_bytes_max == 64 * 1024
    assert REQUEST_SECONDS == places.limits.request_seconds == 2
    assert places.connections == places.limits.connections_max == 4096
    assert (places.connections_per_user, places.connections_per_group) == (2048, 3072)
    assert UID_REQUESTS_PER_SECOND == 100
    assert places.connections_per_group < places.connections - RESERVED_CONNECTIONS


def test_without_settings_the_places_are_those_that_the_settings_document() -> None:
    limits = AdmissionLimitsSettings()
    assert SocketPlaces() == SocketPlaces(
        connections=limits.connections, connections_per_user=limits.connections_per_user
    )


def allowed(rates: UidRates, uid: int, now: float, times: int) -> int:
    return sum(rates.take(uid, now) is None for _ in range(times))


def test_a_user_may_ask_once_for_each_connection_and_then_a_hundred_times_a_second() -> None:
    rates = UidRates(BURST)

    assert allowed(rates, SOMEBODY, 0.0, 200) == BURST
    assert allowed(rates, SOMEBODY, 0.5, 200) == 50
    assert allowed(rates, SOMEBODY, 60.0, 200) == BURST


def test_all_proxies_that_one_user_may_have_come_back_at_once_after_a_restart() -> None:
    places = SocketPlaces()
    rates, connections = UidRates(places.connections_per_user), PeerConnections(places)
    with socket.socket(socket.AF_UNIX) as unconnected:
        peer = Peer(unconnected, credentials=Credentials(1, SOMEBODY, SOMEBODY))
        for _ in range(places.connections_per_user):
            assert connections.enter(peer) is None
            assert rates.take(SOMEBODY, 0.0) is None


def test_a_refusal_says_when_to_come_back() -> None:
    rates = UidRates(BURST)
    allowed(rates, SOMEBODY, 0.0, BURST)

    refused = rates.take(SOMEBODY, 0.0)

    assert refused is not None
    assert refused.code is RefusalCode.RATE_LIMITED
    assert refused.retry_after_seconds == 1
    assert rates.take(SOMEBODY, 1.0) is None


def test_one_user_does_not_use_up_anothers_share() -> None:
    rates = UidRates(BURST)
    allowed(rates, SOMEBODY, 0.0, 1000)

    assert allowed(rates, SOMEBODY + 1, 0.0, BURST) == BURST


def test_the_memory_for_users_is_bounded() -> None:
    rates = UidRates(BURST)

    for uid in range(1, 3 * UIDS_TRACKED_MAX):
        rates.take(uid, 0.0)

    assert len(rates._buckets) == UIDS_TRACKED_MAX


@given(st.lists(st.floats(0, 3), min_size=1, max_size=400))
def test_in_no_window_does_a_user_get_more_than_burst_and_rate(moments: list[float]) -> None:
    rates = UidRates(BURST)
    granted = [now for now in sorted(moments) if rates.take(SOMEBODY, now) is None]

    for start in granted[:: max(1, len(granted) // 10)]:
        within = [now for now in granted if start <= now < start + 1]
        assert len(within) <= BURST + UID_REQUESTS_PER_SECOND


async def test_a_user_who_asks_too_often_is_refused(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = math.inf  # time stands still
    places = SocketPlaces(connections_per_user=100)
    async with (
        open_socket(tmp_path, uid=SOMEBODY, places=places) as opened,
        opened.client() as client,
    ):
        answers = [await client.ask(get("/v1/ready")) for _ in range(102)]

        assert [answer.status for answer in answers] == [200] * 100 + [429] * 2
        assert problem_of(answers[-1])["code"] == "rate-limited"
        assert answers[-1].headers["retry-after"] == "1"
        assert opened.desk.seating.decisions == {("refused", "rate-limited"): 2}
        autojump_clock.jump(1)
        assert (await client.ask(get("/v1/ready"))).status == 200


async def test_root_may_ask_as_often_as_it_likes(tmp_path: Path) -> None:
    async with open_socket(tmp_path, uid=0) as opened, opened.client() as client:
        statuses = {(await client.ask(get("/v1/ready"))).status for _ in range(400)}

    assert statuses == {200}


async def connect(stack: AsyncExitStack, path: Path) -> Client:
    stream = await stack.enter_async_context(await trio.open_unix_socket(str(path)))
    return Client(stream)


async def test_a_user_has_no_more_connections_than_are_set(tmp_path: Path) -> None:
    async with (
        open_socket(tmp_path, uid=SOMEBODY, places=FEW) as opened,
        AsyncExitStack() as stack,
    ):
        clients = [await connect(stack, opened.path) for _ in range(FEW.connections_per_user)]
        await trio.testing.wait_all_tasks_blocked()
        one_more = await connect(stack, opened.path)
        refused = await one_more.ask(get("/v1/ready"))
        await clients[0].stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        in_its_place = await connect(stack, opened.path)
        answer = await in_its_place.ask(get("/v1/ready"))

    assert (refused.status, problem_of(refused)["code"]) == (429, "rate-limited")
    assert "10 connections" in problem_of(refused)["reason"]
    assert "admission.limits.connectionsPerUser" in problem_of(refused)["hint"]
    assert answer.status == 200


def test_the_users_of_one_group_leave_places_to_others() -> None:
    connections = PeerConnections(FEW)
    with socket.socket(socket.AF_UNIX) as unconnected:

        def peer(uid: int, gid: int) -> Peer:
            return Peer(unconnected, credentials=Credentials(1, uid, gid))

        uids = range(SOMEBODY, SOMEBODY + FEW.connections_per_group)
        for uid in uids:
            assert connections.enter(peer(uid, 7)) is None
        refused = connections.enter(peer(uids[-1] + 1, 7))
        assert refused is not None
        assert (refused.code, refused.retry_after_seconds) == (RefusalCode.RATE_LIMITED, 1)
        assert "group 7 have 72 connections" in refused.reason
        assert "admission.limits.connections" in refused.hint
        assert connections.enter(peer(uids[-1] + 1, 8)) is None
        assert connections.enter(peer(0, 7)) is None

        connections.leave(peer(SOMEBODY, 7))
        assert connections.enter(peer(uids[-1] + 2, 7)) is None


async def test_root_may_have_more_connections(tmp_path: Path) -> None:
    async with open_socket(tmp_path, uid=0, places=FEW) as opened, AsyncExitStack() as stack:
        more = FEW.connections_per_user + 10
        clients = [await connect(stack, opened.path) for _ in range(more)]

        assert (await clients[-1].ask(get("/v1/ready"))).status == 200


async def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    async with open_socket(tmp_path) as opened:
        padded = body().ljust(BODY_BYTES_MAX)
        fits = await opened.ask(admission(padded, query="?dryRun=true"))
        too_large = await opened.ask(admission(padded + b" ", query="?dryRun=true"))

    assert fits.status == 200
    assert (too_large.status, problem_of(too_large)["code"]) == (413, "too-large")


@pytest.mark.parametrize("pause", [0.5, 1.0])
async def test_a_request_that_takes_longer_than_two_seconds_is_ended(
    tmp_path: Path, pause: float, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_socket(tmp_path) as opened, opened.client() as client:
        started = trio.current_time()
        for byte in admission(body())[:10]:
            await client.send(bytes([byte]))
            await trio.sleep(pause)
            if trio.current_time() - started > REQUEST_SECONDS:
                break
        answer = await client.answer()

        assert (answer.status, problem_of(answer)["code"]) == (408, "too-slow")
        assert opened.desk.seating.active == 0
    assert autojump_clock.current_time() > 0


async def test_a_slow_client_and_one_that_never_reads_do_not_hold_up_others(
    tmp_path: Path,
) -> None:
    async with open_socket(tmp_path) as opened, AsyncExitStack() as stack:
        slow = await connect(stack, opened.path)
        await slow.send(b"POST ")
        deaf = await connect(stack, opened.path)
        await deaf.send(admission(body("deaf")))
        await opened.until_active(1)
        for number in range(2000):
            opened.desk.seating.broadcast({"event": "license-warning", "number": number})

        async with opened.client() as client:
            await client.send(admission(body("quick")))
            assert (await first_line(client))["decision"] == "admitted"
        assert (await opened.ask(get(ADMISSIONS))).status == 200
