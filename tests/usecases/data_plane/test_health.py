from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.health_checks import HealthSpecifier, HealthTerms
from kong_mesh_cp.usecases.admission.registrations import Registration, registration_key
from kong_mesh_cp.usecases.data_plane.authentication import Proven, ProxyIdentity
from kong_mesh_cp.usecases.data_plane.health import HealthMessage, HealthStreams
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold, StreamEndedError
from kong_mesh_cp.usecases.ports.resource_store import Applied, Change, Put
from support.fakes.fake_resources import FakeResourceStore

NOW = datetime(2026, 11, 30, tzinfo=UTC)
KEY = ResourceKey("Dataplane", "default", "backend-1")
TERMS = HealthTerms(
    report_interval=timedelta(seconds=5),
    timeout=timedelta(seconds=2),
    interval=timedelta(seconds=1),
    no_traffic_interval=timedelta(seconds=1),
    healthy_threshold=1,
    unhealthy_threshold=1,
    admin_port=9901,
)
PROBED = {"port": 8080, "servicePort": 80, "serviceProbe": {"tcp": {}, "timeout": "3s"}}
PLAIN = {"port": 9090}


def text(*inbounds: Mapping[str, object], **more: object) -> str:
    tags = {"kuma.io/service": "backend"}
    inbound = [{"tags": tags, **each} for each in inbounds]
    return json.dumps({"networking": {"address": "10.0.0.1", "inbound": inbound, **more}})


class Tokens:
    async def verify(self, credentials: Sequence[str] | None, proxy: ProxyIdentity) -> Proven:
        if credentials != (proxy.name,):
            raise ProxyRefusedError("authentication failed: no")
        return lambda _proxy: None


class Stream:
    def __init__(self, token: str = "backend-1") -> None:
        self.credentials = (token,)
        self.say, self._said = trio.open_memory_channel[HealthMessage](9)
        self._told, self.told = trio.open_memory_channel[HealthSpecifier](9)

    async def receive(self) -> HealthMessage | None:
        try:
            return await self._said.receive()
        except trio.EndOfChannel:
            return None

    async def send(self, specifier: HealthSpecifier) -> None:
        await self._told.send(specifier)

    async def hello(self, node_id: str = "default.backend-1") -> None:
        await self.say.send(HealthMessage(NodeTold(node_id, {}), None))

    async def report(self, **healthy: bool) -> None:
        names = {"admin": "kuma:envoy:admin", "service": "localhost:80"}
        await self.say.send(HealthMessage(None, {names[key]: it for key, it in healthy.items()}))


async def put(store: FakeResourceStore, spec: str) -> None:
    await store.apply([Put(key=KEY, spec=spec, at=NOW, labels={"kept": "yes"})])


@asynccontextmanager
async def serving(store: FakeResourceStore) -> AsyncIterator[Stream]:
    stream = Stream()
    streams = HealthStreams(
        store, Tokens(), TERMS, refresh_interval=timedelta(seconds=10), wall_clock=lambda: NOW
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(streams.serve, stream)
        await stream.hello()
        yield stream
        stream.say.close()


async def inbounds(store: FakeResourceStore) -> list[dict[str, object]]:
    stored = await store.get(KEY)
    assert stored is not None
    found: list[dict[str, object]] = json.loads(stored.spec)["networking"]["inbound"]
    return found


async def test_a_proxy_is_told_to_check_itself_and_what_is_probed() -> None:
    store = FakeResourceStore()
    await put(store, text(PROBED, PLAIN, admin={"port": 9902}))
    async with serving(store) as stream:
        told = await stream.told.receive()

    assert told.interval == timedelta(seconds=5)
    assert [(each.cluster, each.address, each.port, each.path) for each in told.checks] == [
        ("kuma:envoy:admin", "127.0.0.1", 9902, "/ready"),
        ("localhost:80", "10.0.0.1", 80, ""),
    ]
    assert [each.timeout.seconds for each in told.checks] == [2, 3]
    assert [each.interval.seconds for each in told.checks] == [1, 1]


@pytest.mark.parametrize(("address", "source"), [("127.0.0.1", ""), ("10.0.0.1", "127.0.0.6")])
async def test_behind_redirection_checks_come_from_where_nothing_is_redirected(
    address: str, source: str
) -> None:
    store = FakeResourceStore()
    redirection = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    probed = {**PROBED, "serviceAddress": address}
    await put(store, text(probed, transparentProxying=redirection))
    async with serving(store) as stream:
        told = await stream.told.receive()

    assert [each.source for each in told.checks] == ["", source]


@pytest.mark.parametrize(("changed_since", "is_its_own"), [(0, True), (1, False)])
async def test_what_a_seat_has_registered_stays_its_own_unless_a_client_changed_it(
    changed_since: int, *, is_its_own: bool
) -> None:
    store = FakeResourceStore()
    await put(store, text(PLAIN, admin={"port": 9902}))
    made = Registration(instance="i", plane="p", uid=0, version=1)
    await store.apply([made.put(KEY, NOW, 0)])
    for _ in range(changed_since):
        await put(store, text(PLAIN, admin={"port": 9902}))
    async with serving(store) as stream:
        await stream.told.receive()
        await stream.report(admin=False)
        await trio.testing.wait_all_tasks_blocked()

    assert (await inbounds(store))[0]["state"] == "NotReady"
    found = await store.get_many([KEY, registration_key(KEY.mesh, KEY.name)])
    dataplane, mark = found.values()
    assert Registration.read(mark).is_of(dataplane) is is_its_own


@pytest.mark.usefixtures("autojump_clock")
async def test_changed_checks_are_told_and_equal_ones_are_not() -> None:
    store = FakeResourceStore()
    await put(store, text(PROBED))
    async with serving(store) as stream:
        await stream.told.receive()
        await trio.sleep(60)
        with pytest.raises(trio.WouldBlock):
            stream.told.receive_nowait()
        await put(store, text(PLAIN))
        told = await stream.told.receive()

    assert [each.cluster for each in told.checks] == ["kuma:envoy:admin"]


@pytest.mark.parametrize(
    ("report", "ready"),
    [
        ({"admin": True, "service": True}, [True, True]),
        ({"service": True}, [True, True]),
        ({"admin": True, "service": False}, [False, True]),
        ({"admin": False, "service": True}, [False, False]),
        ({}, [True, True]),
    ],
)
async def test_an_inbound_is_ready_when_its_service_and_its_proxy_are(
    report: dict[str, bool], ready: list[bool]
) -> None:
    store = FakeResourceStore()
    await put(store, text({**PROBED, "state": "NotReady", "health": {}}, PLAIN))
    async with serving(store) as stream:
        await stream.report(**report)

    shown = await inbounds(store)
    assert [each.get("state", "Ready") == "Ready" for each in shown] == ready
    stored = await store.get(KEY)
    assert stored is not None
    assert stored.labels == {"kept": "yes"}


async def test_reports_that_change_nothing_write_nothing() -> None:
    store = FakeResourceStore()
    await put(store, text(PROBED, {**PLAIN, "state": "Ignored"}))
    async with serving(store) as stream:
        await stream.report(service=False)
        await stream.report(service=False)
        await stream.report(service=False)

    stored = await store.get(KEY)
    assert stored is not None
    assert stored.version == 2
    assert (await inbounds(store))[1]["state"] == "Ignored"


class OvertakenStore(FakeResourceStore):
    """Somebody else writes between the reading and the writing of a report, once."""

    overtaken = False

    async def apply(self, changes: Sequence[Change]) -> Applied:
        first = changes[0]
        if isinstance(first, Put) and first.if_version is not None and not self.overtaken:
            self.overtaken = True
            await put(self, text(PROBED, {"port": 7070}))
        return await super().apply(changes)


async def test_what_another_writer_wrote_meanwhile_stays() -> None:
    store = OvertakenStore()
    await put(store, text(PROBED))
    async with serving(store) as stream:
        await stream.report(service=False)

    assert [(each["port"], each.get("state")) for each in await inbounds(store)] == [
        (8080, "NotReady"),
        (7070, None),
    ]


@pytest.mark.usefixtures("autojump_clock")
async def test_the_dataplane_may_come_after_the_stream() -> None:
    store = FakeResourceStore()
    async with serving(store) as stream:
        await trio.sleep(5)
        await put(store, text(PROBED))
        assert await stream.told.receive()


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize(
    ("token", "node", "message"),
    [
        ("other", "default.backend-1", "authentication failed: no"),
        ("backend-1", "backend-1", "HDS request must have a valid Proxy Id: "),
        ("backend-1", "default.absent", "dataplane not found. Create Dataplane in Kuma CP first"),
    ],
)
async def test_a_stream_without_the_right_to_it_ends(token: str, node: str, message: str) -> None:
    store, stream = FakeResourceStore(), Stream(token)
    await put(store, text(PROBED))
    streams = HealthStreams(
        store, Tokens(), TERMS, refresh_interval=timedelta(seconds=10), wall_clock=lambda: NOW
    )
    await stream.hello(node)

    with pytest.raises(StreamEndedError, match=message):
        await streams.serve(stream)


async def test_a_stream_stays_that_of_one_proxy() -> None:
    store, stream = FakeResourceStore(), Stream()
    await put(store, text(PROBED))
    streams = HealthStreams(
        store, Tokens(), TERMS, refresh_interval=timedelta(seconds=10), wall_clock=lambda: NOW
    )
    await stream.hello()
    await stream.hello("default.other")

    with pytest.raises(StreamEndedError, match="Node ID cannot be changed"):
        await streams.serve(stream)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_store_that_fails_is_told_once_for_all_streams(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeResourceStore()
    await put(store, text(PROBED))
    caplog.set_level("INFO")
    async with serving(store) as stream:
        await stream.told.receive()
        store.failure = StateError("made for this test", code="made", hint="Wait.")
        await trio.sleep(60)
        store.failure = None
        await trio.sleep(60)
    assert [each.message for each in caplog.records] == [
        "hds-not-refreshed: made for this test; proxies go on with the checks that they have. Wait.",
        "hds-refreshed-again: the store answers again",
    ]
