"""What becomes of what is sent: docs/wire/zone-sync.md#receiving."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.message_binary import decode
from kong_mesh_cp.core.zone_sync.belonging import FromGlobal, FromZone, Sender
from kong_mesh_cp.core.zone_sync.kuma_resources import packed
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.core.zone_sync.wire_messages import AnyMessage
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.zone_sync.received_resources import INLINE_BYTES_MAX, Arrivals
from kong_mesh_cp.usecases.zone_sync.sync_ports import Told
from kong_mesh_cp.usecases.zone_sync.synced_kinds import message_type_of
from support.fakes.fake_resources import FakeResourceStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EAST = ResourceKey("Zone", "", "east")
TO = [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "3s"}}]
TIMEOUT = {"targetRef": {"kind": "Mesh"}, "to": TO}
WRONG = {"targetRef": {"kind": "Foo"}, "to": TO}


def policy(
    name: str, spec: Mapping[str, object] = TIMEOUT, labels: Mapping[str, str] | None = None
) -> SyncedResource:
    key = ResourceKey("MeshTimeout", "m", name)
    return SyncedResource(key=key, spec=spec, labels=labels or {"kuma.io/origin": "global"})


def told(*resources: SyncedResource, removed: tuple[str, ...] = ()) -> Told:
    data = (decode(AnyMessage, packed(each, message_type_of(each.key.type))) for each in resources)
    type_name = resources[0].key.type if resources else "MeshTimeout"
    return Told(type_name, "1", "global", tuple(data), removed)


def arrivals(
    store: FakeResourceStore, sender: Sender | None = None, owner: ResourceKey | None = None
) -> Arrivals:
    return Arrivals(store, sender or FromGlobal(), lambda: NOW, owner)


def names(store: FakeResourceStore, type_name: str = "MeshTimeout") -> list[str]:
    return sorted(key.name for key in store.resources if key.type == type_name)


async def test_the_first_response_is_all_there_is() -> None:
    store = FakeResourceStore()
    taking = arrivals(store)

    assert await taking.take(told(policy("a"), policy("b")), is_first=True) == ""
    assert await taking.take(told(policy("b"), policy("c")), is_first=True) == ""
    assert names(store) == ["b", "c"]


async def test_a_large_resource_is_read_beside_the_loop() -> None:
    threads: list[int] = []

    class Noting(FromGlobal):
        def received(self, resource: SyncedResource) -> SyncedResource:
            threads.append(threading.get_ident())
            return super().received(resource)

    store = FakeResourceStore()
    large = policy("b", {**TIMEOUT, "to": TO * INLINE_BYTES_MAX})
    await arrivals(store, Noting()).take(told(policy("a"), large), is_first=True)

    assert names(store) == ["a", "b"]
    assert [each == threading.get_ident() for each in threads] == [True, False]


async def test_later_ones_are_changes() -> None:
    store = FakeResourceStore()
    taking = arrivals(store)
    await taking.take(told(policy("a"), policy("b")), is_first=True)

    await taking.take(told(policy("c"), removed=("a.m", "nobody.m")), is_first=False)
    assert names(store) == ["b", "c"]


async def test_what_is_sent_again_is_not_written_again() -> None:
    store = FakeResourceStore()
    taking = arrivals(store)
    await taking.take(told(policy("a")), is_first=True)
    before = len(store.log)

    await taking.take(told(policy("a")), is_first=True)
    assert len(store.log) == before
    await taking.take(
        told(policy("a", labels={"kuma.io/origin": "global", "x": "y"})), is_first=True
    )
    assert len(store.log) == before + 1


async def test_what_is_invalid_is_told_and_the_rest_stored() -> None:
    store = FakeResourceStore()

    refusal = await arrivals(store).take(told(policy("a"), policy("b", WRONG)), is_first=True)
    assert refusal == "spec.targetRef.kind: value is not supported"
    assert names(store) == ["a"]


async def test_what_was_sound_before_stays_when_its_successor_is_not() -> None:
    store = FakeResourceStore()
    taking = arrivals(store)
    await taking.take(told(policy("a")), is_first=True)

    assert await taking.take(told(policy("a", WRONG)), is_first=True)
    assert names(store) == ["a"]


async def test_what_is_the_receivers_own_stays_and_is_told() -> None:
    store = FakeResourceStore()
    key = ResourceKey("Secret", "m", "both")
    await store.apply([Put(key=key, spec='{"data":"eA=="}', at=NOW)])
    labels = {"kuma.io/origin": "global"}
    sent = SyncedResource(key=key, spec={"data": "eQ=="}, labels=labels)
    other = SyncedResource(key=key._replace(name="other"), spec={"data": "eQ=="}, labels=labels)

    refusal = await arrivals(store).take(told(sent, other), is_first=True)
    assert refusal == 'resource already exists: type="Secret" name="both" mesh="m"'
    assert store.resources[key].spec == '{"data":"eA=="}'
    assert names(store, "Secret") == ["both", "other"]


async def test_own_resources_of_a_zone_survive_the_first_response() -> None:
    store = FakeResourceStore()
    key = ResourceKey("MeshTimeout", "m", "own")
    await store.apply([Put(key=key, spec="{}", at=NOW, labels={"kuma.io/origin": "zone"})])

    await arrivals(store).take(Told("MeshTimeout", "1", "global", (), ()), is_first=True)
    assert names(store) == ["own"]


async def test_what_zones_cannot_have_is_the_globals_alone() -> None:
    store = FakeResourceStore()
    await store.apply([Put(key=ResourceKey("Mesh", "", "mine"), spec="{}", at=NOW)])

    await arrivals(store).take(Told("Mesh", "1", "global", (), ()), is_first=True)
    assert names(store, "Mesh") == []


async def test_a_zone_owns_what_it_brings_and_touches_nothing_of_others() -> None:
    store = FakeResourceStore()
    await store.apply([Put(key=EAST, spec="{}", at=NOW)])
    theirs = ResourceKey("MeshTimeout", "m", "west")
    await store.apply([Put(key=theirs, spec="{}", at=NOW, labels={"kuma.io/zone": "west"})])
    taking = arrivals(store, FromZone("east"), EAST)

    await taking.take(told(policy("a", labels={"kuma.io/zone": "west"})), is_first=True)
    kept = store.resources[ResourceKey("MeshTimeout", "m", "a")]
    assert kept.owner == EAST
    assert kept.labels == {"kuma.io/origin": "zone", "kuma.io/zone": "east"}

    assert await taking.take(told(policy("west")), is_first=False)
    await taking.take(told(removed=("west.m",)), is_first=False)
    assert store.resources[theirs].spec == "{}"


async def test_members_that_only_newer_versions_know_survive() -> None:
    store = FakeResourceStore()
    sent = policy("a", {**TIMEOUT, "newer": 1})

    assert await arrivals(store).take(told(sent), is_first=True) == ""
    kept = store.resources[ResourceKey("MeshTimeout", "m", "a")]
    assert '"newer":1' in kept.spec


@pytest.mark.parametrize("value", [b"\xff", b"\x12\x04\x12\x02[]"])
async def test_what_cannot_be_read_is_told(value: bytes) -> None:
    broken = Told("MeshTimeout", "1", "global", (AnyMessage(value=value),), ())

    assert "MeshTimeout: " in await arrivals(FakeResourceStore()).take(broken, is_first=True)
